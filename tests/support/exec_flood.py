"""Execs in one machine, as many as are answered, until stdin ends; each line there asks how many there have been.

    python3 -m support.exec_flood SOCKET SESSION

A process of its own: in the one that measures it would take turns with the measurement.
"""
import concurrent.futures
import sys
import threading

from support import rpc

# At a time: always one that the guest can begin with.
IN_FLIGHT = 16


def main(socket, session):
    api, ending, answered = rpc.Api(socket), threading.Event(), [0] * IN_FLIGHT

    def work(index):
        while not ending.is_set():
            done = rpc.exec_argv(api, session, "true")
            assert done.code == 0, done
            answered[index] += 1

    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        workers = [pool.submit(work, index) for index in range(IN_FLIGHT)]
        for _ in sys.stdin:
            print(sum(answered), flush=True)
        ending.set()
    for worker in workers:
        worker.result()
    api.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
