"""The health check of the document that this library began with ("Handling Redis Outage in MorningAI"), on a test's ports."""
import os

import redis
from flask import Flask, jsonify

app = Flask(__name__)
redis_client = redis.Redis(host='127.0.0.1', port=int(os.environ['REDIS_PORT']), db=0)


@app.route('/health/redis')
def check_redis():
    try:
        redis_client.ping()
        return jsonify(status="success", message="Redis is up"), 200
    except redis.exceptions.ConnectionError:
        return jsonify(status="error", message="Failed to connect to Redis"), 500


if __name__ == '__main__':
    app.run(port=0)
