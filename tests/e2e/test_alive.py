"""`oxbow alive` tells a service that runs from one that does not, and both from not knowing."""

from oxbow import World, check, free_port, main, wait_for


def test_alive():
    """Status 0 while a service runs, 1 once it is stopped or was never there, 3 while the store is
    away."""
    with World("alive") as world:
        check(world.run("alive", "views-1", "--redis-url",
                        f"redis://127.0.0.1:{free_port()}/0").returncode == 3, "no server")
        up = world.up(simulate=("--rate", "200", "--trips", "200"))
        up.wait_line("simulator-1 has finished")
        for instance in ("views-1", "inference-1", "learner-1"):
            wait_for(lambda i=instance: world.run("alive", i).returncode == 0, instance)
        text = world.run("alive", "views-1").stdout
        check(text.startswith("views-1 running, "), text)
        # The simulator's last heartbeat says that it is done: not alive from that moment on.
        check(world.run("alive", "simulator-1").returncode == 1, "the simulator has left")
        nobody = world.run("alive", "views-2")
        check(nobody.returncode == 1 and "has no heartbeat" in nobody.stderr, nobody.stderr)
        check(world.run("alive").returncode == 2, "a name is needed")


if __name__ == "__main__":
    main(test_alive)
