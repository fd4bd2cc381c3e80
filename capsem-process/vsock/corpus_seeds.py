#!/usr/bin/python3
"""Writes the named part of corpus/: one small input of virtqueue_fuzz for each thing that the decoder decides.

    capsem-process/vsock/corpus_seeds.py [FOLDER]

The format is that of virtqueue_fuzz.cpp. What the fuzzer itself found lies beside these under the names that it gives,
40 hexadecimal digits; `tools/dev/fuzz --grow` adds to those.
"""
import pathlib
import struct
import sys

START, CUT, END = 0x1000, 0x1800, 0x1c00  # the guest's memory that is one piece, and where its two regions meet
ALONE, ALONE_END = 0xf000, 0xf400
TO_GUEST, FROM_GUEST = 0x1000, 0x1100
SIZE = 8
BUFFERS, PACKETS, TABLE = 0x1200, 0x1600, 0x1780

EVENT_INDEX, INDIRECT = 1, 2
NEXT, WRITE, IN_TABLE = 1, 2, 4
REQUEST, RESPONSE, RESET, SHUTDOWN, DATA, CREDIT, ASK_CREDIT = range(1, 8)
KICK_FROM, KICK_TO, HOST_WRITES, HOST_READS, HOST_FINISHES, HOST_CLOSES, PAUSE, NEW_DRIVER, PATCH = range(9)


class Ring:
    def __init__(self, memory, place):
        self.memory, self.place, self.size, self.base = memory, place, SIZE, 0
        self.descriptors, self.available, self.used = place, place + 0x80, place + 0xa0
        self.listed = self.taken = 0

    def layout(self):
        return struct.pack("<5H", self.size, self.base, self.descriptors, self.available, self.used)

    def descriptor(self, index, address, length, flags=0, follows=0, table=None):
        self.memory.put((self.place if table is None else table) + 16 * index,
                        struct.pack("<QIHH", address, length, flags, follows))

    def list(self, head):
        self.memory.put(self.place + 0x80 + 4 + 2 * (self.listed % SIZE), struct.pack("<H", head))
        self.index(self.listed + 1)

    def list_again(self, count):
        """The entries of the ring as they are, for another round."""
        self.index(self.listed + count)

    def index(self, value):
        self.listed = value
        self.memory.put(self.place + 0x82, struct.pack("<H", value & 0xffff))

    def used_event(self, value):
        self.memory.put(self.place + 0x80 + 4 + 2 * SIZE, struct.pack("<H", value))

    def chain(self, *buffers):
        """Buffers are (address, length, flags); their descriptors are the next free ones."""
        head = self.taken % SIZE
        for number, (address, length, flags) in enumerate(buffers):
            last = number + 1 == len(buffers)
            place, follows = self.taken % SIZE, (self.taken + 1) % SIZE
            self.descriptor(place, address, length, flags | (0 if last else NEXT), 0 if last else follows)
            self.taken += 1
        self.list(head)


class Input:
    """What the guest does goes into the memory at the start, until the first step; then into patches."""

    def __init__(self, flags=EVENT_INDEX | INDIRECT):
        self.flags, self.image, self.steps, self.later = flags, bytearray(), [], b""
        self.to_guest, self.from_guest = Ring(self, TO_GUEST), Ring(self, FROM_GUEST)
        self.packets = 0

    def put(self, address, content):
        if self.steps:
            self.step(PATCH, len(content), address)
            self.later += content
            return
        offset = address - START
        self.image.extend(bytes(max(0, offset + len(content) - len(self.image))))
        self.image[offset:offset + len(content)] = content

    def step(self, op, which=0, value=0):
        self.steps.append(struct.pack("<BBH", op, which, value))
        return self

    def kick(self):
        return self.step(KICK_FROM)

    def receive(self, count=4, length=64):
        for number in range(count):
            self.to_guest.chain((BUFFERS + 0x80 * number, 44, WRITE), (BUFFERS + 0x80 * number + 44, length, WRITE))
        return self

    def packet(self, op, port=1, length=0, payload=None, flags=0, credit=0x1000, forwarded=0, kind=1, cids=(3, 2),
               place=None):
        place = place or PACKETS + 0x40 * (self.packets % 6)
        self.packets += 1
        self.put(place, struct.pack("<QQIIIHHIII", *cids, port, 5000, length, kind, op, flags, credit, forwarded))
        self.from_guest.chain((place, 44, 0), *([payload] if payload else []))
        return self

    def data(self, payload, length=None, **rest):
        return self.packet(DATA, payload=payload, length=payload[1] if length is None else length, **rest)

    def dial(self, **rest):
        return self.receive().packet(REQUEST, **rest).kick()

    def bytes(self):
        head = struct.pack("<BBH", self.flags, len(self.steps), len(self.image))
        return (head + self.to_guest.layout() + self.from_guest.layout() + b"".join(self.steps) + bytes(self.image)
                + self.later)


def talk():
    """Lives of connections."""
    yield "dial", Input().dial()
    yield "dial_and_send", Input().dial().data((START, 100, 0)).kick().step(HOST_READS)
    yield "dial_and_receive", Input().dial().step(HOST_WRITES, 0, 200)
    yield "without_event_indexes", Input(0).dial().data((START, 9, 0)).kick().step(HOST_WRITES, 0, 20)
    yield "guest_finishes", Input().dial().packet(SHUTDOWN, flags=2).kick().step(HOST_FINISHES)
    yield "guest_stops_listening", Input().dial().packet(SHUTDOWN, flags=1).kick().step(HOST_WRITES, 0, 5)
    yield "guest_closes", Input().dial().packet(SHUTDOWN, flags=3).kick()
    yield "guest_resets", Input().dial().packet(RESET).kick().step(HOST_READS)
    yield "host_finishes", Input().dial().step(HOST_FINISHES).packet(SHUTDOWN, flags=3).kick()
    yield "host_closes", Input().dial().step(HOST_CLOSES).data((START, 5, 0)).kick()
    yield "credit_asked", Input().dial().packet(ASK_CREDIT).kick()
    yield "credit_is_small", (Input().dial(credit=10).step(HOST_WRITES, 0, 40)
                              .packet(CREDIT, credit=10, forwarded=5).kick())
    yield "data_to_the_end", Input().dial().data((ALONE_END - 64, 64, 0)).kick().step(HOST_READS)
    yield "data_over_the_cut", Input().dial().data((CUT - 32, 64, 0)).kick().step(HOST_READS)
    yield "data_to_the_cut", Input().dial().data((CUT - 32, 32, 0)).kick().step(HOST_READS)
    yield "header_to_the_end", Input().receive().packet(REQUEST, place=ALONE_END - 44).kick()
    yield "pause", Input().dial().step(PAUSE).step(HOST_WRITES, 0, 7)
    yield "new_driver", Input().dial().step(NEW_DRIVER)
    yield "no_buffers", Input().packet(REQUEST).kick().step(HOST_WRITES, 0, 9).receive().step(KICK_TO)
    yield "few_buffers", Input().receive(2).packet(REQUEST).kick().step(HOST_WRITES, 0, 500).step(KICK_TO)


def refusals():
    """What resets a connection, or is answered with a reset."""
    yield "refused_port", Input().receive().packet(REQUEST, port=7).kick()
    yield "foreign_cid", Input().receive().packet(REQUEST, cids=(4, 2)).kick()
    yield "foreign_type", Input().receive().packet(REQUEST, kind=2).kick()
    yield "data_of_nobody", Input().receive().data((START, 4, 0)).kick()
    yield "reset_of_nobody", Input().receive().packet(RESET).kick()
    yield "second_request", Input().dial().packet(REQUEST).kick()
    yield "no_operation", Input().dial().packet(0).kick().packet(RESET).kick()
    yield "credit_never_sent", Input().dial().packet(CREDIT, forwarded=9).kick()
    yield "data_after_the_end", Input().dial().packet(SHUTDOWN, flags=2).data((START, 4, 0)).kick()
    yield "resets_without_buffers", many_resets()
    yield "many_connections", many_connections()


def many_resets():
    """More answers than are kept, for a guest that takes none of them; then it takes some."""
    case = Input().packet(DATA).kick()
    for _ in range(10):
        case.from_guest.list_again(SIZE)
        case.kick()
    return case.receive().step(KICK_TO)


def many_connections():
    """Eight packets, each from another port in each round."""
    case = Input()
    ports = (port for port in range(1000) if port % 8 != 7)
    for number in range(SIZE):
        case.packet(REQUEST, port=next(ports), place=START + 0x200 + 44 * number)
    case.kick()
    for _ in range(8):
        for number in range(SIZE):
            case.put(START + 0x200 + 44 * number + 16, struct.pack("<H", next(ports)))
        case.from_guest.list_again(SIZE)
        case.kick()
    return case


def broken():
    """What ends the device."""
    def bad(name, change):
        case = Input().receive()
        change(case)
        return name, case.kick()

    yield bad("index_too_far", lambda case: case.from_guest.index(9))
    yield bad("index_back", lambda case: case.from_guest.index(-1))
    yield bad("index_too_far_to_guest", lambda case: (case.packet(REQUEST), case.to_guest.index(500)))
    yield bad("head_outside", lambda case: case.from_guest.list(SIZE))
    yield bad("next_outside", lambda case: (case.from_guest.descriptor(0, START, 9, NEXT, 99), case.from_guest.list(0)))
    yield bad("chain_of_itself", lambda case: (case.from_guest.descriptor(0, START, 9, NEXT, 0),
                                               case.from_guest.list(0)))
    yield bad("readable_after_writable", lambda case: case.from_guest.chain((START, 44, WRITE), (START, 44, 0)))
    yield bad("short_header", lambda case: case.from_guest.chain((START, 43, 0)))
    yield bad("nothing_readable", lambda case: case.from_guest.chain((START, 44, WRITE)))
    yield bad("header_outside", lambda case: case.from_guest.chain((0x100, 44, 0)))
    yield bad("header_over_the_end", lambda case: case.from_guest.chain((ALONE_END - 20, 44, 0)))
    yield bad("payload_over_the_end", lambda case: case.data((ALONE_END - 20, 44, 0)))
    yield bad("payload_around_the_end", lambda case: case.data((2**64 - 8, 44, 0)))
    yield bad("payload_shorter_than_told", lambda case: case.data((START, 10, 0), length=11))
    yield bad("to_guest_not_writable", lambda case: (case.packet(REQUEST), case.to_guest.descriptor(0, START, 99)))
    yield "to_guest_without_payload", Input().receive(1, 0).packet(REQUEST).kick().receive(2, 0).step(HOST_WRITES, 0, 9)
    yield "told_more_of_a_connection", Input().dial().data((ALONE_END - 64, 64, 0), length=0x2000).kick()
    yield "data_over_the_end", Input().dial().data((ALONE_END - 64, 128, 0)).kick()


def tables():
    """Indirect descriptors."""
    def table(name, flags=IN_TABLE, length=32, place=TABLE, entries=(), inputs=EVENT_INDEX | INDIRECT):
        case = Input(inputs).receive().packet(REQUEST)
        case.from_guest.listed = case.from_guest.taken = 0
        for number, entry in enumerate(entries):
            case.from_guest.descriptor(number, *entry, table=TABLE)
        case.from_guest.descriptor(0, place, length, flags, 1)
        case.from_guest.list(0)
        return name, case.kick()

    header = ((PACKETS, 20, NEXT, 1), (PACKETS + 20, 24, 0, 0))
    yield table("table", entries=header)
    yield table("table_not_agreed", entries=header, inputs=EVENT_INDEX)
    yield table("table_with_next", IN_TABLE | NEXT, entries=header)
    yield table("table_empty", length=0)
    yield table("table_and_a_half", length=24)
    yield table("table_too_long", length=16 * (SIZE + 1))
    yield table("table_outside", place=0x10)
    yield table("table_in_a_table", entries=((TABLE, 32, IN_TABLE, 0),))
    yield table("table_in_a_circle", entries=((PACKETS, 1, NEXT, 0),))


def layouts():
    """Rings that cannot be."""
    for name, field, value in (("size_none", "size", 0), ("size_odd", "size", 6), ("size_huge", "size", 0xffff),
                               ("descriptors_odd", "descriptors", START + 8),
                               ("descriptors_nowhere", "descriptors", 0x8000),
                               ("available_at_the_end", "available", ALONE_END - 8), ("used_odd", "used", START + 2)):
        case = Input()
        setattr(case.from_guest, field, value)
        yield "layout_" + name, case


def pieces(packets):
    """A connection, and as many packets of 7 times 3 KiB, one descriptor chain for all of them."""
    case = Input().receive().packet(REQUEST).kick()
    case.put(PACKETS + 0x40, struct.pack("<QQIIIHHIII", 3, 2, 1, 5000, 7 * 0xc00, 1, DATA, 0, 0x1000, 0))
    case.from_guest.descriptor(0, PACKETS + 0x40, 44, NEXT, 1)
    for number in range(1, SIZE):
        case.from_guest.descriptor(number, START, 0xc00, NEXT if number < 7 else 0, number + 1)
    for _ in range(SIZE):
        case.from_guest.list(0)
    case.from_guest.index(1)
    for first in range(0, packets, SIZE):
        case.from_guest.list_again(min(SIZE, packets - first))
        case.kick()
    return case


def credit():
    """Much data, and the indexes that say what each side wants to hear of."""
    yield "more_than_the_credit", pieces(40)
    yield "more_than_the_socket", pieces(12).step(HOST_READS).packet(SHUTDOWN, flags=3).kick()
    yield "more_than_the_socket_and_gone", pieces(12).step(HOST_CLOSES)
    case = Input(EVENT_INDEX)
    case.from_guest.used_event(0x8000)
    yield "no_interrupt_wanted", case.dial().packet(ASK_CREDIT).kick().packet(ASK_CREDIT).kick()
    # A larger ring at a place of its own, with one packet listed so often that a turn does not take them all.
    case = Input().receive().packet(REQUEST)
    ring = case.from_guest
    ring.size, ring.available, ring.used = 64, START + 0x400, ALONE
    case.put(ring.available + 2, struct.pack("<H", 64))
    yield "more_than_a_turn", case.kick()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for group in (talk, refusals, broken, tables, layouts, credit):
        for name, case in group():
            (folder / name).write_bytes(case.bytes())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus")
