"""Files through the API: bytes, modes, names, what is refused, what is left when something breaks off."""
import hashlib
import threading

import grpc
import pytest

from support import process_tree, rpc

pytestmark = pytest.mark.integration

MIB = 1 << 20
# Many times what any queue on the way holds, and little for an emulated machine that shares its processor.
BULK = 24 * MIB
BLOCK = bytes(range(256)) * 1024  # 256 KiB, the most of one message


def failure(call):
    with pytest.raises(grpc.RpcError) as failed:
        call()
    error = rpc.error_of(failed.value)
    assert error.cause and error.remedy, error
    return failed.value.code().name


def test_write_and_read_right_after_create(client):
    session = client.create().id
    assert client.write_file(session, b"hello", b"at once").size == 7
    assert client.read_file(session, b"/workspace/hello")[1] == b"at once"
    client.delete(session)


def test_24_mib_each_way_byte_exact(client, box):
    wanted = hashlib.sha256()
    pieces = [BLOCK[shift:] + BLOCK[:shift] for shift in range(BULK // len(BLOCK))]
    for piece in pieces:
        wanted.update(piece)
    assert client.write_file(box, b"/var/tmp/big", *pieces).size == BULK
    assert client.exec(box, "sha256sum /var/tmp/big").stdout.split()[0].decode() == wanted.hexdigest()
    told = hashlib.sha256()
    for event in client.files.Read(rpc.files_pb2.ReadFileRequest(session=box, path=b"/var/tmp/big"), timeout=rpc.CALL_LIMIT):
        told.update(event.data)
    assert told.hexdigest() == wanted.hexdigest()
    client.exec(box, "rm /var/tmp/big")


def streamed(capsem, client, box, size):
    """A file of that size, nearly all of it holes, through everything; nobody holds more than a part of it."""
    client.exec(box, f"truncate -s {size - 1} /var/tmp/large && printf x >> /var/tmp/large")
    told, length, last = hashlib.sha256(), 0, b""
    with process_tree.flat_memory([capsem.service_pid(), capsem.info(box)["process_pid"]], 32 * MIB):
        request = rpc.files_pb2.ReadFileRequest(session=box, path=b"/var/tmp/large")
        for event in client.files.Read(request, timeout=3600):
            told.update(event.data)
            length += len(event.data)
            last = event.data or last
    assert (length, last[-1:]) == (size, b"x")
    # And by the CLI, to a file.
    copied = capsem.popen("cp", f"{box}:/var/tmp/large", "-")
    most, left, again = 0, size, hashlib.sha256()
    process_tree.start_peak(copied.pid)
    while piece := copied.stdout.read(MIB):
        again.update(piece)
        left -= len(piece)
        if left > MIB:  # more than its pipe holds: it has not ended
            most = max(most, process_tree.peak(copied.pid))
    assert (copied.wait(60), copied.stderr.read()) == (0, b"")
    assert again.hexdigest() == told.hexdigest()
    assert most < 96 * MIB
    client.exec(box, "rm /var/tmp/large")


def test_64_mib_of_a_file_pass_with_flat_memory(capsem, client, box):
    streamed(capsem, client, box, 64 * MIB)


@pytest.mark.long
@pytest.mark.files
@pytest.mark.timeout(3600)
def test_more_than_4_gib_of_a_file_pass_with_flat_memory(capsem, client, box):
    streamed(capsem, client, box, (4 << 30) + 1)


@pytest.mark.parametrize("name", [b"plain", b"with space", b"line\nfeed", b"\xff\xfe\x01", "größe".encode(), b"n" * 255])
def test_names_are_bytes(client, box, name):
    path = b"/var/tmp/names/" + name
    client.files.Mkdir(rpc.files_pb2.MakeFolderRequest(session=box, path=b"/var/tmp/names", parents=True))
    client.write_file(box, path)
    assert client.read_file(box, path)[1] == b""
    listed = client.list_files(box, b"/var/tmp/names")
    assert listed[name].type == rpc.files_pb2.FILE_TYPE_FILE
    client.files.Remove(rpc.files_pb2.RemoveFileRequest(session=box, path=path))
    assert name not in client.list_files(box, b"/var/tmp/names")


def test_a_mode_is_kept_and_an_owner_too(client, box):
    client.exec(box, "cd /var/tmp; echo old >owned; chown 1234:2345 owned; chmod 751 owned")
    client.write_file(box, b"/var/tmp/owned", b"new")
    assert client.exec(box, "stat -c '%u %g %a' /var/tmp/owned; cat /var/tmp/owned").stdout == b"1234 2345 751\nnew"
    client.write_file(box, b"/var/tmp/script", b"#!/bin/sh\necho ran\n", mode=0o755)
    assert client.exec(box, "/var/tmp/script").stdout == b"ran\n"
    info, _ = client.read_file(box, b"/var/tmp/script")
    assert info.mode == 0o755


def test_what_is_no_file_is_refused(client, box):
    client.exec(box, "cd /var/tmp; mkfifo pipe; ln -s /proc/1/root/etc magic; ln -s circle circle; mount --bind /proc /mnt")
    refused = {b"/dev/null": "FAILED_PRECONDITION", b"/dev/vda": "FAILED_PRECONDITION", b"/proc/self/mem": "FAILED_PRECONDITION",
               b"/sys/kernel/uevent_seqnum": "FAILED_PRECONDITION", b"/mnt/self/status": "FAILED_PRECONDITION",
               b"/dev/pts/ptmx": "FAILED_PRECONDITION", b"/var/tmp/pipe": "FAILED_PRECONDITION",
               b"/var/tmp/magic/passwd": "FAILED_PRECONDITION", b"/var/tmp/circle": "FAILED_PRECONDITION",
               b"/workspace": "FAILED_PRECONDITION", b"/none": "NOT_FOUND", b"/etc/passwd/x": "FAILED_PRECONDITION",
               b"../etc/passwd": "INVALID_ARGUMENT", b"/a/../b": "INVALID_ARGUMENT", b"": "INVALID_ARGUMENT",
               b"/a\0b": "INVALID_ARGUMENT", b"/" + b"n" * 256: "INVALID_ARGUMENT", b"/x" * 2048: "INVALID_ARGUMENT"}
    for path, code in refused.items():
        assert (path, failure(lambda path=path: client.read_file(box, path))) == (path, code)
    for path in (b"/dev/null", b"/dev/shm/../x", b"/proc/sys/kernel/hostname", b"/var/tmp/pipe", b"/workspace", b"/"):
        assert failure(lambda path=path: client.write_file(box, path, b"x")) in ("FAILED_PRECONDITION", "INVALID_ARGUMENT")
    client.exec(box, "umount /mnt; mount -t tmpfs -o ro fixed /mnt")
    assert failure(lambda: client.write_file(box, b"/mnt/x", b"x")) == "PERMISSION_DENIED"
    assert client.exec(box, "umount /mnt; test -c /dev/null && test -p /var/tmp/pipe").code == 0


def test_a_full_disk_is_said_and_leaves_the_old_file(client, box):
    client.exec(box, "mkdir -p /mnt/small && mount -t tmpfs -o size=1m small /mnt/small && echo old >/mnt/small/f")
    assert failure(lambda: client.write_file(box, b"/mnt/small/f", *[BLOCK] * 8)) == "RESOURCE_EXHAUSTED"
    assert client.exec(box, "cd /mnt/small; cat f; ls -A").stdout == b"old\nf\n"
    client.exec(box, "umount /mnt/small")


def test_a_write_that_breaks_off_leaves_nothing(client, box):
    client.exec(box, "mkdir /var/tmp/broken; echo old >/var/tmp/broken/f")
    assert failure(lambda: client.write_file(box, b"/var/tmp/broken/f", b"new", commit=False)) == "INVALID_ARGUMENT"
    started, ended = threading.Event(), threading.Event()

    def inputs():
        yield rpc.files_pb2.WriteFileInput(start=rpc.files_pb2.WriteFileStart(session=box, path=b"/var/tmp/broken/f"))
        yield rpc.files_pb2.WriteFileInput(data=BLOCK)
        started.set()
        ended.wait(60)

    call = client.files.Write(inputs())
    started.wait(60)
    call.cancel()
    ended.set()
    watch = "while pgrep -x capsem-file >/dev/null; do sleep 0.05; done; cd /var/tmp/broken; cat f; ls -A"
    assert client.exec(box, watch).stdout == b"old\nf\n"


def test_create_only_rename_remove_and_links(client, box):
    pb2 = rpc.files_pb2
    root = b"/var/tmp/verbs"
    client.files.Mkdir(pb2.MakeFolderRequest(session=box, path=root + b"/a/b", parents=True, mode=0o700))
    client.write_file(box, root + b"/f", b"one", create_only=True)
    assert failure(lambda: client.write_file(box, root + b"/f", b"two", create_only=True)) == "ALREADY_EXISTS"
    client.write_file(box, root + b"/g", b"g")

    def rename(replace):
        return client.files.Rename(pb2.RenameFileRequest(session=box, path=root + b"/f", new_path=root + b"/g", replace=replace))

    assert failure(lambda: rename(False)) == "ALREADY_EXISTS"
    assert rename(True).size == 3
    client.files.Symlink(pb2.MakeSymlinkRequest(session=box, path=root + b"/l", target=b"g"))
    assert client.stat_file(box, root + b"/l").link_target == b"g"
    assert client.stat_file(box, root + b"/l", follow=True).size == 3
    assert client.read_file(box, root + b"/l")[1] == b"one"
    assert set(client.list_files(box, root)) == {b"a", b"g", b"l"}

    def remove(recursive):
        client.files.Remove(pb2.RemoveFileRequest(session=box, path=root, recursive=recursive))

    assert failure(lambda: remove(False)) == "FAILED_PRECONDITION"
    remove(True)
    assert failure(lambda: client.stat_file(box, root)) == "NOT_FOUND"


def test_a_folder_of_3000_names_is_listed(client, box):
    client.exec(box, "mkdir /var/tmp/many; cd /var/tmp/many; seq -f 'a-name-that-is-rather-long-%g' 3000 | xargs touch")
    assert len(client.list_files(box, b"/var/tmp/many")) == 3000


def test_swapped_links_lead_nowhere_else(client, box):
    """A guest's user who swaps a folder for a link gets the operation onto one of the two, whole."""
    swap = ("import os,ctypes\nlibc=ctypes.CDLL(None)\nos.makedirs('/var/tmp/race/real'); os.makedirs('/var/tmp/race/other')\n"
            "os.symlink('/proc/sys/kernel','/var/tmp/race/link')\nprint('ready',flush=True)\n"
            "while True: libc.renameat2(-100,b'/var/tmp/race/real',-100,b'/var/tmp/race/link',2)\n")
    call = client.start(box, "python3", "-c", swap)
    started = next(call).started
    assert next(call).stdout == b"ready\n"
    for _ in range(30):
        try:
            client.write_file(box, b"/var/tmp/race/real/hostname", b"taken")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error.details()
    client.signal(box, started.exec, 9)
    list(call)
    assert client.exec(box, "hostname").stdout != b"taken\n"


def raced(client, box, swap, verbs, rounds=30):
    """Each verb while a command of the guest changes what it works on. Only what a race may say is said."""
    call = client.start(box, "python3", "-c", swap)
    started = next(call).started
    assert next(call).stdout == b"ready\n"
    may = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS,
           grpc.StatusCode.PERMISSION_DENIED)
    done = 0
    for _ in range(rounds):
        for verb in verbs:
            try:
                verb()
                done += 1
            except grpc.RpcError as error:
                assert error.code() in may, error.details()
    client.signal(box, started.exec, 9)
    list(call)
    assert done > 0


def test_no_verb_follows_a_link_that_was_a_folder_a_moment_ago(client, box):
    """The link leads to /proc, where nothing is listed, made or moved through the API."""
    pb2, root = rpc.files_pb2, b"/var/tmp/verbs-race"
    swap = ("import os,ctypes\nlibc=ctypes.CDLL(None)\nos.makedirs('/var/tmp/verbs-race/real')\n"
            "os.symlink('/proc/sys/kernel','/var/tmp/verbs-race/link')\nprint('ready',flush=True)\n"
            "while True: libc.renameat2(-100,b'/var/tmp/verbs-race/real',-100,b'/var/tmp/verbs-race/link',2)\n")
    listed = set()
    client.exec(box, "rm -rf /var/tmp/verbs-race")
    raced(client, box, swap, [
        lambda: listed.update(client.list_files(box, root + b"/real")),
        lambda: client.files.Mkdir(pb2.MakeFolderRequest(session=box, path=root + b"/real/new", parents=True)),
        lambda: client.files.Rename(pb2.RenameFileRequest(session=box, path=root + b"/real/hostname", new_path=root + b"/real/osrelease",
                                                          replace=True)),
        lambda: client.files.Symlink(pb2.MakeSymlinkRequest(session=box, path=root + b"/real/l", target=b"x")),
        lambda: client.files.Remove(pb2.RemoveFileRequest(session=box, path=root + b"/real/new")),
    ])
    assert listed <= {b"new", b"l"}


def test_a_folder_is_removed_and_not_what_a_link_in_it_leads_to(client, box):
    """A folder in it is swapped for a link to another all the time: that other keeps what it has."""
    pb2 = rpc.files_pb2
    swap = ("import os,ctypes\nlibc=ctypes.CDLL(None)\nos.makedirs('/var/tmp/victim/kept/deep')\nopen('/var/tmp/victim/kept/f','w')\n"
            "root='/var/tmp/remove-race'\nprint('ready',flush=True)\n"
            "while True:\n try:\n  os.makedirs(root+'/real/sub/kept/deep', exist_ok=True)\n"
            "  os.path.islink(root+'/real/link') or os.symlink('/var/tmp/victim', root+'/real/link')\n"
            "  for _ in range(50): libc.renameat2(-100,(root+'/real/sub').encode(),-100,(root+'/real/link').encode(),2)\n"
            " except OSError: pass\n")
    raced(client, box, swap, [lambda: client.files.Remove(pb2.RemoveFileRequest(session=box, path=b"/var/tmp/remove-race/real",
                                                                                 recursive=True))], rounds=60)
    assert client.exec(box, "find /var/tmp/victim | sort").stdout.split() == [
        b"/var/tmp/victim", b"/var/tmp/victim/kept", b"/var/tmp/victim/kept/deep", b"/var/tmp/victim/kept/f"]


def test_operations_beyond_the_limit_are_refused_and_the_rest_goes_on(client, box):
    gate = threading.Event()

    def inputs(number):
        yield rpc.files_pb2.WriteFileInput(start=rpc.files_pb2.WriteFileStart(session=box, path=b"/var/tmp/held-%d" % number))
        gate.wait(60)
        yield rpc.files_pb2.WriteFileInput(commit=True)

    calls = [client.files.Write(inputs(number)) for number in range(30)]
    outcomes = []

    def finish(call):
        try:
            outcomes.append(next(call).HasField("written"))
        except grpc.RpcError as error:
            outcomes.append(error.code())

    threads = [threading.Thread(target=finish, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    assert client.exec(box, "echo", "others go on").stdout == b"others go on\n"
    gate.set()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) >= 24
    assert outcomes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 30 - outcomes.count(True)


def test_the_machine_dies_under_a_write(client):
    session = client.create().id
    gate = threading.Event()

    def inputs():
        yield rpc.files_pb2.WriteFileInput(start=rpc.files_pb2.WriteFileStart(session=session, path=b"f"))
        gate.wait(60)

    call = client.files.Write(inputs())
    client.exec(session, "true")
    client.delete(session)
    with pytest.raises(grpc.RpcError) as failed:
        next(call)
    gate.set()
    assert failed.value.code().name == "UNAVAILABLE"
