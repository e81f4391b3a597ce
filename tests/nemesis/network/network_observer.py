# Looks at the network between two nodes, for tests: shares nothing with Ordeal.
#
#   receive PORT SECONDS        prints "DISTINCT TWICE LATE DAMAGED BYTES_PER_S" of numbered datagrams, of 200 bytes each
#   send ADDRESS PORT COUNT GAP_S
#   connect ADDRESS PORT        seconds that a TCP connection takes, the least of two; one that is refused or meets silence for 2 s counts
#   serve PORT SECONDS          answers connections: echoes, until they end
#   talk ADDRESS PORT ROUNDS    prints how a conversation ended: closed, reset, hung, silent, unreachable
#   names ADDRESS               a name server that has this address for every name
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


def exchange(s):
    for attempt in range(3):  # the other end may know of a reset, and say so when it hears more
        s.send(b"hello")
        try:
            s.recv(100)
            return
        except socket.timeout:
            if attempt == 2:
                raise


def talk(address, port, rounds):
    how = "unreachable"
    begin = time.monotonic()
    # Until the other end listens; where it does not yet, the refusal may be just what is kept from arriving.
    while how == "unreachable" and time.monotonic() < begin + 4:
        s = socket.socket(family(address), socket.SOCK_STREAM)
        s.settimeout(0.5)
        try:
            s.connect((address, int(port)))
            how = "silent"
        except OSError:
            s.close()
            time.sleep(0.02)
    try:
        if how == "silent":
            for _ in range(int(rounds)):
                exchange(s)
            how = "hung"
            s.shutdown(socket.SHUT_WR)
            s.settimeout(1)
            if s.recv(100) == b"":
                how = "closed"
    except (ConnectionResetError, BrokenPipeError):
        how = "reset"
    except socket.timeout:
        pass
    print(how)


def names(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 53))
    while True:
        query, client = s.recvfrom(1000)
        end = 12
        while query[end]:
            end += query[end] + 1
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address)
        s.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12 : end + 5] + answer, client)


globals()[sys.argv[1]](*sys.argv[2:])
