"""What the worker runs, whoever enqueued it.

    rq worker --serializer rq.serializers.JSONSerializer orchestrator
"""


def answer(task_id, question, repo):
    return {'task_id': task_id, 'answer': f'{question} See {repo}.'}
