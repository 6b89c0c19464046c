"""Redis away, Redis wiped, SQLite's file deleted, two programs on one file."""

import os
import signal
import subprocess
import time

from oxbow import BIN, Redis, World, check, free_port, is_running, main, wait_for

AWAY_S = float(os.environ.get("OXBOW_TEST_AWAY_S", "6"))


class OwnRedis:
    """A redis-server that the test starts and stops by itself."""

    def __init__(self, world):
        self.world = world
        self.port = free_port()
        self.dir = world.dir / "redis"
        self.dir.mkdir()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        self.process = self.world.spawn(
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.dir,
            "--appendonly", "yes", "--save", "", "--loglevel", "warning")
        wait_for(self.answers, "redis-server to answer")

    def answers(self):
        try:
            return Redis(self.port)("PING") == b"PONG"
        except (OSError, RuntimeError):
            return False

    def stop(self):
        self.process.stop()


def up(world, redis, *more, simulate=None):
    (world.data).mkdir(exist_ok=True)
    (world.data / "redis.port").write_text(f"{redis.port}\n")  # for World.redis()
    argv = [BIN / "oxbow", "up", "--config", world.config, "--data", world.data,
            "--redis-url", redis.url, "--no-monitor", *more]
    argv += ["--simulate", *simulate] if simulate else ["--no-simulator"]
    return world.spawn(*argv)


def test_redis_away():
    """Each connection says it once, tries again, and nothing is lost."""
    with World("away") as world:
        redis = OwnRedis(world)
        process = up(world, redis, simulate=("--rate", "300", "--trips", "3000"))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 100, "rows to learn")
        start = len(process.lines)
        redis.stop()
        time.sleep(AWAY_S)
        redis.start()
        process.wait_line("simulator-1 has finished", start)
        world.audit("--settled", "--deep")
        ledger = world.ledger()
        check(ledger["requests_new"] == ledger["outcomes_new"] == 3000, str(ledger))
        check(not process.has_line("starting it again"), "no service died of it")
        for service in ("views-1", "inference-1", "learner-1", "simulator-1"):
            words = [line for line in process.lines[start:]
                     if line.startswith(service) and "WARN" in line]
            print("  " + "\n  ".join(words))
            check(1 <= len(words) <= 6, f"{service} says it {len(words)} times: {words}")
        check(process.stop() == 0, "it stops with status 0")


def test_redis_wiped():
    """Without its half in Redis the task is refused, with what to do; --fresh begins anew."""
    with World("wiped") as world:
        redis = OwnRedis(world)
        process = up(world, redis, simulate=("--rate", "300", "--trips", "300"))
        process.wait_line("simulator-1 has finished")
        world.audit("--settled")
        Redis(redis.port)("FLUSHALL")
        check(process.wait() == 2, "the running services refuse, and that ends it with status 2")
        check(process.has_line("ERROR.*--fresh"), "the line says what to do")

        process = up(world, redis)
        check(process.wait() == 2, "so does a new start")
        check(process.has_line("views-1 .*--fresh"), "the line says what to do")

        process = up(world, redis, "--fresh", simulate=("--rate", "300", "--trips", "200"))
        process.wait_line("simulator-1 has finished")
        world.audit("--settled", "--deep")
        check(world.ledger()["requests_new"] == 200, str(world.ledger()))
        check(process.stop() == 0, "it stops with status 0")


def test_database_deleted():
    """Without SQLite's file the task is refused, with what to do; --fresh begins anew."""
    with World("deleted") as world:
        redis = OwnRedis(world)
        process = up(world, redis, simulate=("--rate", "300", "--trips", "300"))
        process.wait_line("simulator-1 has finished")
        check(process.stop() == 0, "it stops with status 0")
        for file in world.data.glob("taxi.db*"):
            file.unlink()
        process = up(world, redis)
        check(process.wait() == 2, "it is refused")
        check(process.has_line("views-1 .*--fresh"), "the line says what to do")
        process = up(world, redis, "--fresh", simulate=("--rate", "300", "--trips", "200"))
        process.wait_line("simulator-1 has finished")
        world.audit("--settled", "--deep")
        keys = Redis(redis.port)("KEYS", "*")
        incarnations = {key.split(b":")[2] for key in keys if key.count(b":") > 2}
        check(len(incarnations) == 1, f"the old incarnation's keys are gone: {incarnations}")
        check(process.stop() == 0, "it stops with status 0")


def test_two_at_once():
    """A second oxbow-views on the file, and a second `oxbow up` on the folder, are refused."""
    with World("two") as world:
        redis = OwnRedis(world)
        process = up(world, redis, simulate=("--rate", "50"))
        wait_for(lambda: world.ledger().get("requests_new", 0) > 0, "the first request")
        env = dict(os.environ, OXBOW_REDIS_URL=redis.url, OXBOW_DATA_DIR=str(world.data))
        second = subprocess.run([str(BIN / "oxbow-views"), "--config", str(world.config),
                                 "--instance", "views-2"], capture_output=True, text=True, env=env,
                                timeout=60)
        check(second.returncode == 2, f"status {second.returncode}: {second.stderr}")
        print("  " + second.stderr.splitlines()[-1])
        again = up(world, redis)
        check(again.wait() == 2, "a second up is refused")
        check(again.has_line("another `oxbow up`"), "\n".join(again.lines))
        fresh = up(world, redis, "--fresh")
        check(fresh.wait() == 2, "nothing is forgotten under a running task")
        rows = world.ledger()["requests_new"]
        wait_for(lambda: world.ledger().get("requests_new", 0) > rows, "the first to go on")
        check(process.stop() == 0, "it stops with status 0")


def test_up_killed():
    """When `oxbow up` itself is killed nothing is left behind, and a new start goes on."""
    with World("killed") as world:
        process = world.up(simulate=("--rate", "300", "--trips", "900"))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 20, "rows to learn")
        children = process.children()
        check(len(children) == 5, str(children))
        port = world.port()
        process.stop(signal.SIGKILL)
        wait_for(lambda: not any(is_running(pid) for pid in children.values()),
                 "its children to be gone")
        process = world.up(simulate=("--rate", "300", "--trips", "900"))
        process.wait_line("simulator-1 has finished")
        check(world.port() == port, "redis-server has its port again")
        world.audit("--settled", "--deep")
        check(world.ledger()["requests_new"] == 900, str(world.ledger()))
        check(process.stop() == 0, "it stops with status 0")


if __name__ == "__main__":
    main(test_redis_away, test_redis_wiped, test_database_deleted, test_two_at_once, test_up_killed)
