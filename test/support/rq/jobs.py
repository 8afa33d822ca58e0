"""The functions that the tests' jobs call. Each first writes its job's id into the file `ran`."""
import os
import time

from rq import get_current_job


def _ran():
    job = get_current_job()
    # One write of a few bytes at the end of a file: workers do not cut into each other's.
    with open('ran', 'a') as ledger:
        ledger.write(job.id + '\n')
    return job


def note(*args):
    _ran()


def echo(*args, **kwargs):
    job = _ran()
    return {'args': list(args), 'kwargs': kwargs, 'meta': job.meta}


def fail(*args):
    _ran()
    raise RuntimeError('as asked')


def fail_once(*args):
    job = _ran()
    job.meta['tried_at'] = job.meta.get('tried_at', []) + [time.time()]
    job.save_meta()
    if len(job.meta['tried_at']) == 1:
        raise RuntimeError('as asked')
    return job.meta['tried_at']


def now():
    _ran()
    return time.time()


def _until_go():
    while not os.path.exists('go'):
        time.sleep(0.02)


def hold():
    _ran()
    _until_go()


def fail_once_then_hold():
    fail_once()
    _until_go()
