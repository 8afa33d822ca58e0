"""What a Python service does without the library: RQ's own producer, one job a call or many. Prints what it got done."""
import json
import sys
import time

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

port, seconds, batch = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
queue = Queue("python", connection=Redis(port=port), serializer=JSONSerializer())
question = "What happens to a job when Redis is away for a while, and who runs it afterwards?"


def payload(n):
    return [{"question": question, "repo": "RC918/morningai", "user": n, "tags": ["faq", "redis"]}]


def lay_down(n):
    if batch == 1:
        queue.enqueue("tasks.answer", args=payload(n))
    else:
        queue.enqueue_many([Queue.prepare_data("tasks.answer", args=payload(n + i)) for i in range(batch)])


lay_down(0)
count, started = 0, time.perf_counter()
while time.perf_counter() - started < seconds:
    lay_down(count)
    count += batch
print(json.dumps({"count": count, "seconds": time.perf_counter() - started, "warmUp": batch}))
