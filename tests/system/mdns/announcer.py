"""Says things by mDNS: a device, or what no device would say. Python's standard library alone.

Announcer().say(service("kitchen", …)); with ttl=0 it is a goodbye."""
import socket
import struct

GROUP, GROUP6, PORT = "224.0.0.251", "ff02::fb", 5353
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


def address_record(owner, address, ttl):
    if ":" in address:
        return record(owner, AAAA, socket.inet_pton(socket.AF_INET6, address), ttl)
    return record(owner, A, socket.inet_aton(address), ttl)


def service(instance, strings=(), address="127.0.0.1", port=6053, host=None, ttl=120):
    """The records of one device, as it announces them."""
    kind = [label.encode() for label in TYPE.split(".")]
    owner, place = name(instance, *kind), name(host or instance, "local")
    return [record(name(*kind), PTR, owner, ttl, shared=True),
            record(owner, SRV, struct.pack("!HHH", 0, 0, port) + place, ttl),
            record(owner, TXT, txt(strings), ttl),
            address_record(place, address, ttl)]


def message(records):
    """An answer with these records, which nobody has asked for."""
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


class Announcer:
    """On lo, by IPv4."""

    def __init__(self, source="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((source, PORT))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)

    def say(self, records):
        self.socket.sendto(message(records), (GROUP, PORT))

    def close(self):
        self.socket.close()


class Announcer6:
    """On an interface, by IPv6."""

    def __init__(self, interface):
        self.index = socket.if_nametoindex(interface)
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("::", PORT))
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)

    def say(self, records):
        self.socket.sendto(message(records), (GROUP6, PORT, 0, self.index))

    def close(self):
        self.socket.close()
