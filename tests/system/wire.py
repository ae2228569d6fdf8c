"""A wire between the gateway and a simulated proxy, which can be cut at any frame of a conversation.

    wire = Wire(port_of_the_proxy)          # wire.port is where the gateway goes
    wire.cut = Cut(DEVICE, 2, BODY, RESET)  # in the middle of the device's third frame
    wire.wait_cuts(1)

    wire.inject(octets)                     # as if the proxy had said them
    wire.is_mute = True                     # what the proxy itself says gets lost
    wire.is_deaf = True                     # what the gateway says is not read any more

Frames are told apart by their headers alone, which are never encrypted: so it works for both framings."""
import select
import socket
import struct
import threading

DEVICE, GATEWAY = "device", "gateway"  # whose frame
BEFORE, HEADER, BODY, AFTER = "before", "header", "body", "after"  # where in it
CLOSE, RESET, SILENCE = "close", "reset", "silence"  # how it ends; silence: nothing goes through, TCP stays open


class Cut:
    """The end of a conversation: at a frame (counted from 0) of a side; without a side: when it is accepted."""

    def __init__(self, side=None, frame=0, part=BEFORE, how=CLOSE):
        self.side, self.frame, self.part, self.how = side, frame, part, how


class Frames:
    """Octets of one direction, cut into frames; both framings are known by the first octet of each."""

    def __init__(self):
        self.octets = b""
        self.taken = 0

    @staticmethod
    def _varint(octets, at):
        value = shift = 0
        while at < len(octets):
            value |= (octets[at] & 0x7f) << shift
            shift, at = shift + 7, at + 1
            if octets[at - 1] < 0x80:
                return value, at
        return None, at

    def _measure(self):
        """(octets of the header, octets of the whole frame) of the first one, or None when it is not all there."""
        if len(self.octets) < 3:
            return None
        if self.octets[0] == 1:
            return 3, 3 + struct.unpack(">H", self.octets[1:3])[0]
        size, at = self._varint(self.octets, 1)
        if size is None:
            return None
        kind, at = self._varint(self.octets, at)
        return None if kind is None else (at, at + size)

    def take(self, octets):
        """The complete frames, each as (its number, header, body)."""
        self.octets += octets
        frames = []
        while (sizes := self._measure()) and len(self.octets) >= sizes[1]:
            frames.append((self.taken, self.octets[:sizes[0]], self.octets[sizes[0]:sizes[1]]))
            self.octets = self.octets[sizes[1]:]
            self.taken += 1
        return frames


def end_socket(end, how):
    """Closes in one of two ways: an orderly end, after which the peer's own is waited for, or a reset."""
    try:
        if how == RESET:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            end.shutdown(socket.SHUT_WR)
            end.settimeout(20)
            while end.recv(65536):
                pass
    except OSError:
        pass  # the peer was first
    end.close()


class Conversation:
    """One connection of the gateway and its other half to the proxy, in a thread of its own."""

    def __init__(self, wire, gateway):
        self.wire, self.gateway = wire, gateway
        self.cut = wire.cut
        self.lock = threading.Lock()  # of what is written to the gateway
        self.device = socket.create_connection(("127.0.0.1", wire.target), timeout=20)
        for end in (self.gateway, self.device):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.run, daemon=True).start()

    def end(self, how):
        end_socket(self.device, RESET)
        end_socket(self.gateway, how)

    def write(self, target, octets):
        size = self.wire.segment or max(len(octets), 1)
        for i in range(0, len(octets), size):
            target.sendall(octets[i:i + size])

    def send(self, target, octets):
        if target is self.device:
            self.write(target, octets)
            return
        with self.lock:
            if not self.wire.is_mute:
                self.write(target, octets)

    def inject(self, octets):
        with self.lock:
            self.write(self.gateway, octets)

    def is_cut(self, side, target, frame):
        """Passes the frame on, or as much of it as the cut leaves."""
        number, header, body = frame
        cut = self.cut
        if not cut or (cut.side, cut.frame) != (side, number):
            self.send(target, header + body)
            return False
        parts = {BEFORE: b"", HEADER: header[:1], BODY: header + body[:len(body) // 2], AFTER: header + body}
        self.send(target, parts[cut.part])
        return True

    def pump(self):
        """True when it ended by the cut."""
        frames = {DEVICE: Frames(), GATEWAY: Frames()}
        ways = {self.device: (DEVICE, self.gateway), self.gateway: (GATEWAY, self.device)}
        while True:
            ears = [self.device] if self.wire.is_deaf else list(ways)
            for source in select.select(ears, [], [], 0.1)[0]:
                side, target = ways[source]
                octets = source.recv(65536)
                if not octets:
                    return False
                if any(self.is_cut(side, target, frame) for frame in frames[side].take(octets)):
                    return True

    def run(self):
        try:
            is_cut = self.pump()
        except OSError:
            is_cut = False  # one of the two was gone
        if is_cut:
            self.wire.note_cut(self)
        if not is_cut or self.cut.how != SILENCE:
            self.end(self.cut.how if is_cut else CLOSE)


class Wire:
    def __init__(self, target):
        self.target = target
        self.cut = None      # of the conversations that begin from now on
        self.segment = None  # octets of a write; None: as they come
        self.is_deaf = False
        self.is_mute = False
        self.newest = None  # conversation
        self.cuts = 0
        self.silent = []  # conversations that are kept open
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # little room for what is not read
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                gateway, _ = self.listener.accept()
            except OSError:
                return
            if self.cut and self.cut.side is None:
                threading.Thread(target=end_socket, args=(gateway, self.cut.how), daemon=True).start()
                self.note_cut(None)
                continue
            try:
                self.newest = Conversation(self, gateway)
            except OSError:
                gateway.close()

    def note_cut(self, conversation):
        with self.changed:
            self.cuts += 1
            if conversation and conversation.cut.how == SILENCE:
                self.silent.append(conversation)
            self.changed.notify_all()

    def wait_cuts(self, count, limit_s=20.0):
        with self.changed:
            assert self.changed.wait_for(lambda: self.cuts >= count, limit_s), f"{self.cuts} of {count} cuts"

    def inject(self, octets):
        """Whole frames of plaintext, between those of the proxy."""
        self.newest.inject(octets)

    def heal(self):
        """Nothing is cut any more, and what is silent ends."""
        self.cut = None
        with self.changed:
            silent, self.silent = self.silent, []
        for conversation in silent:
            end_socket(conversation.device, RESET)
            end_socket(conversation.gateway, RESET)

    def close(self):
        self.listener.close()
        self.heal()
