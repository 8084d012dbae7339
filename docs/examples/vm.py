#!/usr/bin/env python3
"""Register this VM for a Service, and print where another one's endpoints are.

    vm.py URL CLUSTER SERVICE INSTANCE ADDRESS PORT [SERVICE-TO-FOLLOW]

URL is that of the broker with user and password. It needs python3-pika.
"""
import json
import signal
import sys
import uuid

import pika


class VM:
    def __init__(self, url, cluster, service, instance, address, port):
        self.parameters = pika.URLParameters(url)
        self.user = self.parameters.credentials.username
        self.cluster, self.service, self.instance = cluster, service, instance
        self.address, self.port = address, int(port)
        self.boot, self.seq, self.registered = uuid.uuid4().hex, 0, False
        self.newest = {}
        self.connection = pika.BlockingConnection(self.parameters)
        self.channel = self.connection.channel()
        # Answers come here; it has to be consumed before anything is asked.
        self.channel.basic_consume("amq.rabbitmq.reply-to", self.answered, auto_ack=True)

    def publish(self, exchange, body):
        self.channel.basic_publish(
            f"landbridge.{self.cluster}.{exchange}", "v1", json.dumps(body),
            # The broker checks the user id: nobody can claim to be another.
            pika.BasicProperties(content_type="application/json", user_id=self.user, reply_to="amq.rabbitmq.reply-to"))

    def say(self, op):
        self.seq += 1
        body = {"v": 1, "op": op, "service": self.service, "instance": self.instance, "boot": self.boot, "seq": self.seq}
        if op == "register":
            body.update(addresses=[self.address], ports=[{"port": self.port}], leaseSeconds=30)
        self.publish("registry", body)

    def renew(self, every=10.0):
        self.say("heartbeat" if self.registered else "register")
        self.connection.call_later(every, self.renew)

    def answered(self, _channel, _method, _properties, raw):
        body = json.loads(raw)
        if "announcements" in body:
            for announcement in body["announcements"]:
                self.told(announcement)
            return
        self.registered = body["accepted"]
        print("registered" if body["accepted"] else f'{body["code"]}: {body.get("message", "")}', flush=True)
        if body.get("code") == "unknown":  # another leader: it does not know us
            self.say("register")

    def follow(self, service):
        """Bind first and ask then, so that no change falls between."""
        queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(queue, f"landbridge.{self.cluster}.endpoints", service.replace("/", "."))
        self.channel.basic_consume(queue, lambda _c, _m, _p, raw: self.told(json.loads(raw)), auto_ack=True)
        self.publish("snapshot", {"v": 1, "services": [service]})

    def told(self, announcement):
        version = (announcement["epoch"], announcement["revision"])
        if version <= self.newest.get(announcement["service"], (-1, -1)):
            return  # an older one
        self.newest[announcement["service"]] = version
        ready = [f'{e["address"]}:{e["port"]}' for p in announcement["ports"] for e in p["endpoints"] if e["ready"]]
        print(announcement["service"], "gone" if announcement.get("deleted") else " ".join(ready), flush=True)


def main(url, cluster, service, instance, address, port, follow=None):
    vm = VM(url, cluster, service, instance, address, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if follow:
            vm.follow(follow)
        vm.renew()
        vm.channel.start_consuming()
    finally:
        if vm.connection.is_open:
            vm.say("leave")
            vm.connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
