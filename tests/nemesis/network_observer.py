# Looks at the network between two nodes, for tests: shares nothing with Ordeal.
#
#   receive PORT SECONDS        prints "DISTINCT TWICE LATE DAMAGED BYTES_PER_S" of numbered datagrams, of 200 bytes each
#   send ADDRESS PORT COUNT GAP_S
#   connect ADDRESS PORT        seconds that a TCP connection takes, the least of two; one that is refused or meets silence for 2 s counts
#   serve PORT SECONDS          answers connections: echoes, until they end
#   talk ADDRESS PORT ROUNDS    prints how a conversation ended: closed, reset, hung, silent, unreachable
import select, socket, struct, sys, time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def body(number):
    return struct.pack("!I", number) + bytes((number + i) % 251 for i in range(196))


def receive(port, seconds):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind(("::", int(port)))
    seen, twice, late, damaged, highest, first, last = set(), 0, 0, 0, -1, None, None
    end = time.monotonic() + float(seconds)
    while select.select([s], [], [], max(0, end - time.monotonic()))[0]:
        data = s.recv(2000)
        number = struct.unpack("!I", data[:4])[0]
        if number > 1000000 or data != body(number):
            damaged += 1
        elif number == 1000000:
            break
        elif number in seen:
            twice += 1
        else:
            late += number < highest
            highest = max(highest, number)
            seen.add(number)
            last = time.monotonic()
            first = first or last
    rate = 200 * (len(seen) - 1) / (last - first) if len(seen) > 1 else 0
    print(len(seen), twice, late, damaged, int(rate))


def send(address, port, count, gap):
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    for number in range(int(count)):
        s.sendto(body(number), (address, int(port)))
        time.sleep(float(gap))
    time.sleep(0.3)  # what is held back arrives before the farewell
    for _ in range(20):
        s.sendto(body(1000000), (address, int(port)))
        time.sleep(0.01)


def connect(address, port):
    times = []
    for _ in range(2):
        s = socket.socket(family(address), socket.SOCK_STREAM)
        s.settimeout(2)
        begin = time.monotonic()
        try:
            s.connect((address, int(port)))
        except OSError:
            pass
        times.append(time.monotonic() - begin)
    print(min(times))


def serve(port, seconds):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", int(port)))
    listener.listen(50)
    open_sockets, end = [listener], time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for one in select.select(open_sockets, [], [], 0.1)[0]:
            if one is listener:
                open_sockets.append(listener.accept()[0])
                continue
            try:
                data = one.recv(1000)
                if data:
                    one.send(data)
            except OSError:
                data = b""
            if not data:
                open_sockets.remove(one)
                one.close()


def talk(address, port, rounds):
    s = socket.socket(family(address), socket.SOCK_STREAM)
    s.settimeout(1.5)
    how = "unreachable"
    for _ in range(50):
        try:
            s.connect((address, int(port)))
            how = "silent"
            break
        except ConnectionRefusedError:
            s.close()
            s = socket.socket(family(address), socket.SOCK_STREAM)
            s.settimeout(1.5)
            time.sleep(0.02)
        except OSError:
            break
    try:
        if how == "silent":
            for _ in range(int(rounds)):
                s.send(b"hello")
                s.recv(100)
            how = "hung"
            s.shutdown(socket.SHUT_WR)
            if s.recv(100) == b"":
                how = "closed"
    except (ConnectionResetError, BrokenPipeError):
        how = "reset"
    except socket.timeout:
        pass
    print(how)


globals()[sys.argv[1]](*sys.argv[2:])
