"""Says things by mDNS: a device, or what no device would say. Python's standard library alone.

With Announcer(interface) as announcer: announcer.say(service("kitchen", …)); announcer.say(…, ttl=0) is a goodbye."""
import socket
import struct

GROUP, PORT = "224.0.0.251", 5353
TYPE = "_esphomelib._tcp.local"
A, PTR, TXT, AAAA, SRV = 1, 12, 16, 28, 33
FLUSH = 0x8000


def name(*labels):
    """A name of DNS of labels that may hold anything."""
    octets = b"".join(bytes([len(label)]) + label for label in map(encoded, labels))
    return octets + b"\0"


def encoded(label):
    return label if isinstance(label, bytes) else label.encode()


def record(owner, kind, data, ttl=120, shared=False):
    return owner + struct.pack("!HHIH", kind, 1 if shared else 1 | FLUSH, ttl, len(data)) + data


def txt(strings):
    return b"".join(bytes([len(text)]) + text for text in map(encoded, strings)) or b"\0"


def service(instance, strings=(), address="127.0.0.1", port=6053, host=None, ttl=120):
    """The records of one device, as it announces them."""
    kind = [label.encode() for label in TYPE.split(".")]
    owner, place = name(instance, *kind), name(host or instance, "local")
    return [record(name(*kind), PTR, owner, ttl, shared=True),
            record(owner, SRV, struct.pack("!HHH", 0, 0, port) + place, ttl),
            record(owner, TXT, txt(strings), ttl),
            record(place, A, socket.inet_aton(address), ttl)]


class Announcer:
    def __init__(self, source="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((source, PORT))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)

    def say(self, records):
        """One answer with these records, which nobody has asked for."""
        self.socket.sendto(struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records), (GROUP, PORT))

    def close(self):
        self.socket.close()
