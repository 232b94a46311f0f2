"""A program of somebody else that takes part in runs: as an agent, as a handler of hooks and as a subscriber.

It knows what `host/docs/contract.md` says, and nothing else of the project. It checks each event that it gets against the published
schemas, and prints what it sees, a JSON document a line.

    client.py URL SCHEMAS
"""

import asyncio
import json
import pathlib
import sys

import jsonschema
import nats

NAMESPACE = "default"


class Contract:
    """The published schemas, by the URN that events name them with."""

    def __init__(self, folder):
        documents = [json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))]
        self.schemas = {document["$id"]: document for document in documents}
        self.envelope = self.schemas["urn:flowhost:schema:event.v1"]

    def read(self, message):
        """An event, when it keeps to its schemas and to what the page says of headers."""
        event = json.loads(message.data)
        jsonschema.validate(event, self.envelope, format_checker=jsonschema.FormatChecker())
        jsonschema.validate(event["data"], self.schemas[event["dataschema"]], format_checker=jsonschema.FormatChecker())
        assert event["dataschema"].startswith("urn:flowhost:schema:"), event
        assert message.headers["content-type"] == "application/cloudevents+json", message.headers
        assert message.headers["traceparent"] == event["traceparent"], message.headers
        return event

    def write(self, number, kind, data):
        """An event of ours."""
        schema = "urn:flowhost:schema:" + kind.removeprefix("flowhost.").rsplit(".v", 1)[0].replace(".", "-") + ".v1"
        if schema in self.schemas:
            jsonschema.validate(data, self.schemas[schema])
        event = {"specversion": "1.0", "id": str(number), "source": "/test/client", "type": kind, "data": data}
        jsonschema.validate(event, self.envelope)
        return json.dumps(event).encode()


class Client:
    def __init__(self, connection, contract):
        self.connection = connection
        self.contract = contract
        self.number = 0
        self.told = 0
        self.done = asyncio.Event()

    def event(self, kind, data):
        self.number += 1
        return self.contract.write(self.number, kind, data)

    def show(self, what, event):
        print(json.dumps({"what": what, "type": event["type"], "data": event["data"]}), flush=True)

    async def agent(self, message):
        """Says how far it is, fails the first attempt and answers the second."""
        event = self.contract.read(message)
        self.show("agent", event)
        task, attempt = event["data"]["task_id"], event["data"]["attempt"]
        about = {"task_id": task, "attempt": attempt}
        await message.respond(self.event("flowhost.task.progress.v1", {**about, "progress": {"percentage": 50, "note": "reading"}}))
        if attempt == 1:
            failure = {"kind": "network", "message": "try again", "details": {"code": 7}}
            await message.respond(self.event("flowhost.task.failure.v1", {**about, "failure": failure}))
            return
        assert event["data"]["previous_failure"]["message"] == "try again", event
        value = {"good": event["data"]["args"]["strict"], "text": event["data"]["args"]["text"] + "!"}
        await message.respond(self.event("flowhost.task.completion.v1", {**about, "value": value}))

    async def before(self, message):
        """Lets the step pass with other arguments; one that is forbidden not at all."""
        event = self.contract.read(message)
        self.show("before", event)
        args = event["data"]["args"]
        if "forbidden" in args["value"]:
            verdict = {"verdict": "veto", "reason": "this is not for everybody"}
        else:
            verdict = {"verdict": "rewrite", "document": {**args, "value": args["value"].upper()}}
        await message.respond(self.event("flowhost.hook.verdict.v1", verdict))

    async def after(self, message):
        """Cannot take it the first time."""
        event = self.contract.read(message)
        self.show("after", event)
        self.told += 1
        done = {} if self.told > 1 else {"failure": {"kind": "resource", "message": "the disk is full"}}
        await message.respond(self.event("flowhost.hook.done.v1", done))

    async def silent(self, message):
        """Never answers."""
        self.show("silent", self.contract.read(message))

    async def cancelled(self, message):
        """Nobody waits for the one who never answers."""
        self.show("cancelled", self.contract.read(message))

    async def ask(self):
        """Asks an agent of a host, as runs do: once well, once with an argument of another type."""
        for args in ({"value": "from outside"}, {"value": 7}):
            task = f"client/{self.number}"
            about = {"task_id": task, "run": "client", "path": "", "role": "echoer", "attempt": 1}
            limits = {"timeout_seconds": 60, "deadline": "2999-01-01T00:00:00Z"}
            inbox = self.connection.new_inbox()
            answers = await self.connection.subscribe(inbox)
            question = self.event("flowhost.task.assignment.v1", {**about, **limits, "args": args})
            await self.connection.publish(f"flow.{NAMESPACE}.agent.echoer", question, reply=inbox)
            async for message in answers.messages:
                event = self.contract.read(message)
                assert event["data"]["task_id"] == task, event
                self.show("answer", event)
                if event["type"] != "flowhost.task.progress.v1":
                    break
            await answers.unsubscribe()

    async def listen(self, message):
        """Answers a message of a run with one of ours, twice: runs take it once."""
        event = self.contract.read(message)
        self.show("message", event)
        text = self.event("com.example.approval", {"by": "client", "of": event["data"]})
        await self.ask()
        for _ in range(2):
            await self.connection.publish(f"flow.{NAMESPACE}.event.texts.approved", text)


async def main(url, schemas):
    connection = await nats.connect(url)
    client = Client(connection, Contract(schemas))
    await connection.subscribe(f"flow.{NAMESPACE}.agent.reviewer", queue="agents", cb=client.agent)
    await connection.subscribe(f"flow.{NAMESPACE}.hook.before.step.gate", queue="gate", cb=client.before)
    await connection.subscribe(f"flow.{NAMESPACE}.hook.after.run.ledger", queue="ledger", cb=client.after)
    await connection.subscribe(f"flow.{NAMESPACE}.agent.sleeper", queue="agents", cb=client.silent)
    await connection.subscribe(f"flow.{NAMESPACE}.agent.sleeper.cancel", cb=client.cancelled)
    await connection.subscribe(f"flow.{NAMESPACE}.event.texts.reviewed", cb=client.listen)
    await connection.flush()
    print(json.dumps({"what": "ready"}), flush=True)
    await client.done.wait()


asyncio.run(main(*sys.argv[1:]))
