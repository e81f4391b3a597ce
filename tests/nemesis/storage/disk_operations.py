#!/usr/bin/env python3
"""Random operations on files, for the tests of the disk.

  disk_operations.py run DIRECTORY SEED COUNT          does them and prints what each returned: the same on every file system
  disk_operations.py crash DIRECTORY SEED COUNT STATE  does writes and syncs, notes in STATE what a power failure may leave
                                                       of them, and ends by SIGKILL with all its files open
  disk_operations.py check DIRECTORY STATE KIND        whether a power failure left that (KIND: lost, torn, reordered)
  disk_operations.py hold DIRECTORY READY GO           writes, waits for file GO, then says what its open file is still good
                                                       for, and ends by SIGBUS
"""
import errno, fcntl, mmap, os, pickle, random, signal, stat, sys, time

PAGE = 4096


def tried(call, *words):
    try:
        return call(*words)
    except OSError as error:
        return errno.errorcode[error.errno]


def fallocate(file, mode, offset, length):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def aligned(size, byte):
    memory = mmap.mmap(-1, size)
    memory[:] = bytes([byte]) * size
    return memory


class Operations:
    """All choices come from the seed, none from what an operation returned, so that two file systems are asked the same."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.open = {}

    def name(self):
        return self.random.choice(["", "", "d1/", "d2/"]) + "f%d" % self.random.randrange(6)

    def place(self):
        return self.random.choice([0, self.random.randrange(3 * PAGE), PAGE * self.random.randrange(30)])

    def data(self):
        size = self.random.choice([1, 100, 511, PAGE, PAGE + 1, 8 * PAGE, self.random.randrange(1, 40000)])
        return bytes([self.random.randrange(1, 256)]) * size

    def file(self):
        slot = self.random.randrange(4)
        return self.open.get(slot, 999)

    def one(self):
        what = self.random.choice([getattr(self, n) for n in sorted(dir(self)) if n.startswith("op_")])
        return what.__name__[3:], what()

    def op_open(self):
        slot = self.random.randrange(4)
        flags = self.random.choice([os.O_RDWR, os.O_RDWR, os.O_RDWR, os.O_RDONLY, os.O_WRONLY])
        for flag in (os.O_CREAT, os.O_APPEND, os.O_TRUNC, os.O_EXCL, os.O_DSYNC, os.O_SYNC, os.O_NOFOLLOW):
            if self.random.random() < (0.7 if flag == os.O_CREAT else 0.15):
                flags |= flag
        name = self.name()
        if slot in self.open:
            os.close(self.open.pop(slot))
        got = tried(os.open, name, flags, 0o640)
        if isinstance(got, int):
            self.open[slot] = got
            return name, "open"
        return name, got

    op_open_again = op_open

    def op_close(self):
        slot = self.random.randrange(4)
        return tried(os.close, self.open.pop(slot)) if slot in self.open else None

    def op_write(self):
        return tried(os.write, self.file(), self.data())

    def op_pwrite(self):
        return tried(os.pwrite, self.file(), self.data(), self.place())

    op_pwrite_again = op_pwrite

    def op_writev(self):
        return tried(os.pwritev, self.file(), [self.data(), self.data()], self.place())

    def op_read(self):
        return tried(os.read, self.file(), 100000)

    def op_pread(self):
        return tried(os.pread, self.file(), 50000, self.place())

    def op_seek(self):
        return tried(os.lseek, self.file(), self.random.choice([0, 10, -1]), self.random.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]))

    def op_ftruncate(self):
        return tried(os.ftruncate, self.file(), self.place())

    def op_truncate(self):
        return tried(os.truncate, self.name(), self.place())

    def op_allocate(self):
        return tried(fallocate, self.file(), self.random.choice([0, 1]), self.place(), self.random.randrange(1, 50000))

    def op_punch(self):
        return tried(fallocate, self.file(), 3, self.place(), self.random.randrange(1, 50000))

    def op_fsync(self):
        return tried(self.random.choice([os.fsync, os.fdatasync]), self.file())

    def op_mapped(self):
        shared, data, sync = self.random.random() < 0.7, self.data(), self.random.random() < 0.5
        offset = self.random.randrange(PAGE)
        file = self.file()
        try:
            size = os.fstat(file).st_size
            if size == 0:
                return "empty"
            with mmap.mmap(file, size, mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE) as memory:
                piece = data[: max(0, size - offset)]
                memory[offset : offset + len(piece)] = piece
                if sync:
                    memory.flush()
                seen = os.pread(file, 100, offset)
                return (seen, memory[:])
        except (OSError, PermissionError) as error:
            return errno.errorcode[error.errno]

    def op_direct(self):
        name, size, place, byte = self.name(), PAGE * self.random.randrange(1, 9), PAGE * self.random.randrange(20), self.random.randrange(256)
        file = tried(os.open, name, os.O_RDWR | os.O_DIRECT)
        if not isinstance(file, int):
            return file
        memory = aligned(size, byte)
        out = [tried(os.pwrite, file, memory, place)]
        back = aligned(size, 0)
        out.append((tried(os.preadv, file, [back], place), back[:]))
        os.close(file)
        return out

    def op_copy(self):
        source, to = self.name(), self.name()
        kind = self.random.randrange(2)
        try:
            with open(source, "rb") as one, open(to, "r+b") as other:
                if kind == 0:
                    return os.sendfile(other.fileno(), one.fileno(), 0, 30000)
                other.write(one.read())
                return other.tell()
        except OSError as error:
            return errno.errorcode[error.errno]

    def op_rename(self):
        return tried(os.rename, self.name(), self.name())

    def op_link(self):
        return tried(os.link, self.name(), self.name())

    def op_unlink(self):
        return tried(os.unlink, self.name())

    def op_symlink(self):
        return tried(os.symlink, self.name(), self.name())

    def op_readlink(self):
        return tried(os.readlink, self.name())

    def op_mkdir(self):
        return tried(os.mkdir, self.random.choice(["d1", "d2", "d1/sub", "f1"]))

    def op_rmdir(self):
        return tried(os.rmdir, self.random.choice(["d1/sub", "d2", "f1"]))

    def op_rename_directory(self):
        return tried(os.rename, *self.random.choice([("d2", "d3"), ("d3", "d2"), ("d1", "d1/sub"), ("d1/sub", "d2")]))

    def op_list(self):
        return sorted(str(tried(os.listdir, d)) if not isinstance(tried(os.listdir, d), list) else str(sorted(os.listdir(d))) for d in (".", "d1", "d2"))

    def op_stat(self):
        s = tried(os.lstat, self.name())
        return s if isinstance(s, str) else (oct(s.st_mode), s.st_nlink, s.st_size if not stat.S_ISDIR(s.st_mode) else 0)

    def op_fstat(self):
        s = tried(os.fstat, self.file())
        return s if isinstance(s, str) else (oct(s.st_mode), s.st_nlink, s.st_size)

    def op_times(self):
        name, when = self.name(), self.random.randrange(10**9)
        if (done := tried(os.utime, name, (when, when + 1))) is not None:
            return done
        before = os.stat(name).st_mtime
        file = tried(os.open, name, os.O_WRONLY)
        if isinstance(file, str):
            return file
        os.pwrite(file, b"t", 0)
        after = os.fstat(file).st_mtime
        os.close(file)
        return before, after > time.time() - 60, os.stat(name).st_mtime == after

    def op_chmod(self):
        name, mode = self.name(), self.random.choice([0o600, 0o644, 0o4755])
        return tried(os.chmod, name, mode)

    def op_locks(self):
        name, exclusive = self.name(), self.random.random() < 0.5
        one, other = tried(os.open, name, os.O_RDWR), tried(os.open, name, os.O_RDWR)
        if isinstance(one, str):
            return one
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        out = [tried(fcntl.flock, one, kind | fcntl.LOCK_NB), tried(fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB)]
        os.close(one)
        os.close(other)
        return out

    def op_space(self):
        s = os.statvfs(".")
        return s.f_bsize > 0, s.f_blocks >= s.f_bfree >= s.f_bavail > 0, s.f_namemax


def run(directory, seed, count):
    os.chdir(directory)
    os.umask(0o022)
    operations = Operations(int(seed))
    for i in range(int(count)):
        name, out = operations.one()
        text = repr(out)
        print(i, name, text if len(text) < 200 else "%d bytes, hash %s" % (len(text), __import__("hashlib").sha1(text.encode()).hexdigest()))
    for top, directories, files in sorted(os.walk(".")):
        for name in sorted(files):
            path = os.path.join(top, name)
            if not os.path.islink(path):
                print(path, os.stat(path).st_size, __import__("hashlib").sha1(open(path, "rb").read()).hexdigest())


class File:
    """Its contents now and all that it had since it was synced, the synced contents first."""

    def __init__(self, contents):
        self.past = [contents]

    def now(self):
        return self.past[-1]

    def set(self, contents):
        self.past.append(contents)

    def sync(self):
        self.past = [self.past[-1]]

    def allows(self, contents, kind):
        if kind == "lost":
            return contents == self.past[0]
        if not min(map(len, self.past)) <= len(contents) <= max(map(len, self.past)):
            return False
        shortest = min(map(len, self.past))
        return all(any(i < len(p) and p[i] == byte for p in self.past) or (byte == 0 and i >= shortest) for i, byte in enumerate(contents))


def written(old, offset, data):
    old = old.ljust(offset, b"\0")
    return old[:offset] + data + old[offset + len(data) :]


def crash(directory, seed, count, state):
    os.chdir(directory)
    draw = random.Random(int(seed))
    files = {}  # by name
    same = {}  # a file may have several names
    for name in sorted(os.listdir(".")):
        files[name] = same.setdefault(os.stat(name).st_ino, File(open(name, "rb").read()))
    names = [dict(files)]  # since the last sync of anything
    handles = {}

    def synced(file):
        file.sync()
        names[:] = [dict(files)]

    for _ in range(int(count)):
        name = "f%d" % draw.randrange(5)
        kind = draw.choice(["write", "write", "write", "append", "mapped", "direct", "durable", "truncate", "punch", "fsync", "rename", "unlink", "link", "close"])
        if name not in files:
            handles[name] = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            files[name] = File(b"")
            names.append(dict(files))
        file = files[name]
        if name not in handles:
            handles[name] = os.open(name, os.O_RDWR)
        handle = handles[name]
        data = bytes([draw.randrange(1, 256)]) * draw.choice([10, 700, PAGE, draw.randrange(1, 20000)])
        place = draw.choice([0, draw.randrange(20000), PAGE * draw.randrange(5)])
        old = file.now()
        if kind == "write":
            os.pwrite(handle, data, place)
            file.set(written(old, place, data))
        elif kind == "append":
            os.lseek(handle, 0, os.SEEK_END)
            os.write(handle, data)
            file.set(old + data)
        elif kind == "mapped" and old:
            with mmap.mmap(handle, len(old)) as memory:
                piece = data[: max(0, len(old) - place)]
                memory[place : place + len(piece)] = piece
                file.set(memory[:])
                if draw.random() < 0.3:
                    memory.flush()
                    synced(file)
        elif kind in ("direct", "durable"):
            flags = os.O_RDWR | (os.O_DIRECT if kind == "direct" else os.O_DSYNC)
            other = os.open(name, flags)
            if kind == "durable":  # else what was written before might be durable after it, or not
                os.fsync(other)
                synced(file)
                old = file.now()
            memory = aligned(2 * PAGE, data[0])
            os.pwrite(other, memory, PAGE * (place // PAGE))
            file.set(written(old, PAGE * (place // PAGE), memory[:]))
            os.close(other)
            if kind == "durable":
                synced(file)
        elif kind == "truncate":
            os.ftruncate(handle, place)
            file.set(old[:place].ljust(place, b"\0"))
        elif kind == "punch" and old:
            fallocate(handle, 3, place, len(data))
            end = min(len(old), place + len(data))
            if place < end:
                file.set(old[:place] + b"\0" * (end - place) + old[end:])
        elif kind == "fsync":
            draw.choice([os.fsync, os.fdatasync])(handle)
            synced(file)
        elif kind in ("rename", "link"):
            other = "f%d" % draw.randrange(5)
            if other == name or files.get(other) is file or (kind == "link" and other in files):
                continue
            (os.rename if kind == "rename" else os.link)(name, other)
            if other in handles:
                os.close(handles.pop(other))
            files[other] = file
            if kind == "rename":
                del files[name]
                handles[other] = handles.pop(name)
            names.append(dict(files))
        elif kind == "unlink":
            os.unlink(name)
            os.close(handles.pop(name))
            del files[name]
            names.append(dict(files))
        elif kind == "close":
            os.close(handles.pop(name))
    with open(state, "wb") as out:
        pickle.dump(names, out)
    os.kill(os.getpid(), signal.SIGKILL)


def check(directory, state, kind):
    names = pickle.load(open(state, "rb"))
    os.chdir(directory)
    left = {name: open(name, "rb").read() for name in os.listdir(".")}
    assert all(os.stat(name).st_size == len(contents) for name, contents in left.items())
    for past in names[:1] if kind == "lost" else names:
        if past.keys() == left.keys() and all(past[name].allows(contents, kind) for name, contents in left.items()):
            print("allowed")
            return
    print("NOT ALLOWED:", kind, {name: len(contents) for name, contents in left.items()})
    for past in names:
        print(" may be:", {name: [len(p) for p in file.past] for name, file in past.items()})


def hold(directory, ready, go):
    os.chdir(directory)
    file = os.open("held", os.O_RDWR)
    os.pwrite(file, b"unsynced" * 1000, 0)
    memory = mmap.mmap(file, 4096)
    memory[0:6] = b"mapped"
    open(ready, "w").close()
    end = time.time() + 20
    while not os.path.exists(go) and time.time() < end:
        time.sleep(0.01)
    print(tried(os.pwrite, file, b"zombie", 0), tried(os.fsync, file), tried(os.pread, file, 6, 0), open("held").read(), flush=True)
    memory[0:6] = b"zombie"  # SIGBUS


if __name__ == "__main__":
    {"run": run, "crash": crash, "check": check, "hold": hold}[sys.argv[1]](*sys.argv[2:])
