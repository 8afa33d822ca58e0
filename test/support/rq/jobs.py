"""The functions that the tests' jobs call. Each first writes its job's id into the file `ran`."""
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
    job.meta['tries'] = job.meta.get('tries', 0) + 1
    job.save_meta()
    if job.meta['tries'] == 1:
        raise RuntimeError('as asked')
    return job.meta['tries']


def sleep(seconds):
    _ran()
    time.sleep(seconds)
