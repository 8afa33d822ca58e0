"""A Flask service that enqueues jobs for RQ, and falls back when Redis is down: what service.ts does, as it is often done.

    pip install flask rq
    python flask_app.py      (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 5000; BACKUP_FILE, default backup.jsonl)
"""
import json
import os
import uuid

from flask import Flask, jsonify, request
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

app = Flask(__name__)
# Without the two timeouts a hung Redis hangs every request.
redis = Redis.from_url(
    os.environ.get('REDIS_URL', 'redis://127.0.0.1:6379'), socket_timeout=1, socket_connect_timeout=1
)


def backup_enqueue(function, *args):
    # Somebody has to replay this, after the outage, and without running twice what had come through after all.
    with open(os.environ.get('BACKUP_FILE', 'backup.jsonl'), 'a') as backup:
        backup.write(json.dumps([function, *args]) + '\n')


@app.route('/tasks', methods=['POST'])
def enqueue_task():
    task_id = str(uuid.uuid4())
    args = (task_id, request.json['question'], request.json['repo'])
    try:
        queue = Queue('orchestrator', connection=redis, serializer=JSONSerializer())
        queue.enqueue('tasks.answer', *args, job_id=task_id, ttl=600, result_ttl=86400, failure_ttl=3600)
        return jsonify(id=task_id, outcome='enqueued'), 202
    except RedisError:
        backup_enqueue('tasks.answer', *args)
        return jsonify(id=task_id, outcome='backed-up'), 202


@app.route('/health/redis')
def check_redis():
    try:
        redis.ping()  # answered also by a Redis that refuses every write
        return jsonify(status='up'), 200
    except RedisError:
        return jsonify(status='down'), 503


if __name__ == '__main__':
    app.run(port=int(os.environ.get('PORT', '5000')))
