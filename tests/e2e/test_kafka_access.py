"""TLS, SASL and access control of a real Kafka broker, by librdkafka's properties alone.

A user with every right runs the loop over SASL_SSL, its password in a file; one without the right
to write is refused with a text that names the topic or right; a wrong password is said.
Skipped (status 77) where there is no Java, or no jars of Kafka.
"""

import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import kafka_broker
from kafka import Broker
from oxbow import World, check

PASSWORDS = {"admin": "admin-secret", "oxbow": "oxbow-secret", "guest": "guest-secret"}
JAAS = ("org.apache.kafka.common.security.plain.PlainLoginModule required "
        'username="admin" password="admin-secret" ' +
        " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items()) + ";")


def make_certificate(folder):
    """A certificate for 127.0.0.1 that signs itself; the broker wants it in one file."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
         certificate], check=True, capture_output=True)
    both = folder / "broker.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both, certificate


def guarded_broker(folder, keystore):
    """A broker that takes SASL over TLS alone, and lets nobody in who has no right."""
    broker = Broker()
    controller = kafka_broker.free_port()
    settings = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"SASL_SSL://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"SASL_SSL://127.0.0.1:{broker.port}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "security.inter.broker.protocol": "SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": JAAS,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": keystore,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": folder / "certificate.pem",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
    }
    broker.settings = [f"{name}={value}" for name, value in settings.items()]
    return broker


def allow(broker, folder, user, operations, *resources):
    """Grants the operations, as an administrator does."""
    admin = folder / "admin.properties"
    admin.write_text(
        "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={folder / 'certificate.pem'}\n"
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
        'username="admin" password="admin-secret";\n')
    words = [word for name in operations for word in ("--operation", name)]
    subprocess.run(
        kafka_broker.java(broker.dir, "kafka.admin.AclCommand", "--bootstrap-server",
                          broker.address, "--command-config", str(admin), "--add",
                          "--allow-principal", f"User:{user}", *words, *resources),
        check=True, capture_output=True, timeout=60)


def properties(folder, user, password):
    """What a user writes into the task file."""
    secret = folder / f"{user}.secret"
    secret.write_text(password + "\n")
    return {"security.protocol": "SASL_SSL", "sasl.mechanisms": "PLAIN", "sasl.username": user,
            "sasl.password": f"@{secret}", "ssl.ca.location": str(folder / "certificate.pem")}


def world_of(broker, folder, user, password):
    return World("access", bus="kafka",
                 kafka={"brokers": broker.address,
                        "properties": properties(folder, user, password)})


def test_allowed(broker, folder):
    with world_of(broker, folder, "oxbow", PASSWORDS["oxbow"]) as world:
        up = world.up(simulate=("--rate", 500, "--trips", 500))
        up.wait_line("simulator-1 has finished")
        world.audit("--settled")
        check(world.ledger()["requests_new"] == 500, str(world.ledger()))
        check(up.stop() == 0, "it stops with status 0")


def test_refused(broker, folder):
    """Without the right to write it ends at once, and says whose right is missing."""
    with world_of(broker, folder, "guest", PASSWORDS["guest"]) as world:
        up = world.up(simulate=("--rate", 500, "--trips", 500))
        check(up.wait(60) == 2, "it is refused:\n" + "\n".join(up.lines[-20:]))
        check(up.has_line("(?i)authorization failed"), "\n".join(up.lines[-20:]))
        print("  " + next(line for line in up.lines if "uthorization failed" in line))


def test_wrong_password(broker, folder):
    """The broker may be given the right one any moment: it is said, and tried again."""
    with world_of(broker, folder, "oxbow", "wrong") as world:
        up = world.up(simulate=("--rate", 500, "--trips", 500))
        up.wait_line("(?i)authentication failed")
        print("  " + next(line for line in up.lines if "uthentication failed" in line))
        up.stop()


def main():
    folder = pathlib.Path(kafka_broker.tempfile.mkdtemp(prefix="oxbow-access-"))
    try:
        keystore, _ = make_certificate(folder)
        with guarded_broker(folder, keystore) as broker:
            allow(broker, folder, "oxbow", ["All"], "--topic", "*", "--group", "*",
                  "--transactional-id", "*", "--cluster")
            allow(broker, folder, "guest", ["Read", "Describe"], "--topic", "*", "--group", "*")
            test_allowed(broker, folder)
            test_refused(broker, folder)
            test_wrong_password(broker, folder)
    finally:
        kafka_broker.shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
