// ordeal-gentxn: writes a history of transactions of any length, for timing `ordeal check` whole-process.
//   ordeal-gentxn [txns=10000] [clients=20] [ops=4] [keys=10] [writes=32] [model=list-append|rw-register]
//                 [store=serial|snapshot|stale|untimed] [stale=0.001] [crashed=0] [format=jsonl|edn] [seed=1]
//                 [reads=0.5] [values=0] [changed=0]
//   ordeal-gentxn ring=100000 [chords=3] [format=…]
//
// As Elle's generator: `keys` are in use at a time, each is left behind for a new one after `writes` writes, elements
// count from 1 for each key and are given when a transaction is invoked, so that lists show the order in which
// concurrent transactions took effect. Stores: serial (each transaction at one moment between its events), snapshot
// (reads of the beginning, the first committer wins, the others fail), stale (serial, but the share `stale` of all
// reads misses the last element; registers show the value before). The events follow each other in random order among
// the clients.
//
// reads: their share. values: registers are written random ones of so many values, again and again (0: each value once
// to a key). changed: 1: one read of one transaction, in the middle, shows an older element than it should.
//
// ring: that many transactions in one strongly connected component. T(i) reads key i as empty and appends to key i+1,
// so each must come before the one before it, around the ring; `chords` more keys a transaction do the same at random
// distances.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

struct Shape {
  std::size_t txns = 10'000, ring = 0, chords = 3;
  std::size_t clients = 20, ops = 4, keys = 10, writes = 32;
  bool registers = false, edn = false;
  std::string store = "serial";
  double stale = 0.001, crashed = 0, reads = 0.5;
  std::size_t values = 0, changed = 0;
  std::uint64_t seed = 1;
};

struct Micro {
  bool read = false;
  std::int64_t key = 0;
  std::int64_t element = 0;        // written
  std::vector<std::int64_t> seen;  // read: the list, or the register's value alone
};
using Txn = std::vector<Micro>;

class Writer {
 public:
  explicit Writer(const Shape& shape) : edn_(shape.edn), registers_(shape.registers) {}
  ~Writer() { flush(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void event(std::size_t process, const char* type, const Txn& txn, bool seen) {
    time_ += 1'000 + (index_ * 7919) % 997;
    const std::string number = std::to_string(index_++), time = std::to_string(time_), client = std::to_string(process);
    if (edn_) {
      out_ += "{:type :" + std::string(type) + ", :f :txn, :value ";
      value(txn, seen);
      out_ += ", :process " + client + ", :time " + time + ", :index " + number + "}\n";
    } else {
      out_ += "{\"index\":" + number + ",\"time\":" + time + ",\"process\":" + client + ",\"type\":\"" + type +
              "\",\"f\":\"txn\",\"value\":";
      value(txn, seen);
      out_ += "}\n";
    }
    if (out_.size() > (1u << 20)) flush();
  }

 private:
  void flush() {
    std::fwrite(out_.data(), 1, out_.size(), stdout);
    out_.clear();
  }
  void value(const Txn& txn, bool seen) {
    const char* comma = edn_ ? " " : ",";
    out_ += '[';
    for (std::size_t i = 0; i < txn.size(); ++i) {
      const Micro& op = txn[i];
      const std::string f = op.read ? "r" : registers_ ? "w" : "append";
      out_ += i > 0 ? std::string(comma) + "[" : "[";
      out_ += edn_ ? ":" + f : "\"" + f + "\"";
      out_ += comma + std::to_string(op.key) + comma;
      if (!op.read) {
        out_ += std::to_string(op.element);
      } else if (!seen || (op.seen.empty() && registers_)) {
        out_ += edn_ ? "nil" : "null";
      } else if (registers_) {
        out_ += std::to_string(op.seen.front());
      } else {
        out_ += '[';
        for (std::size_t e = 0; e < op.seen.size(); ++e) out_ += (e > 0 ? comma : "") + std::to_string(op.seen[e]);
        out_ += ']';
      }
      out_ += ']';
    }
    out_ += ']';
  }

  bool edn_, registers_;
  std::int64_t time_ = 0, index_ = 0;
  std::string out_;
};

class Generator {
 public:
  explicit Generator(const Shape& shape) : shape_(shape), chance_(shape.seed), out_(shape), open_(shape.clients) {
    for (std::size_t k = 0; k < shape.keys; ++k) active_.push_back({next_key_++, 0});
    for (std::size_t c = 0; c < shape.clients; ++c) process_.push_back(c);
  }

  void run() {
    std::size_t begun = 0, ended = 0;
    while (ended < shape_.txns) {
      const std::size_t client = below(shape_.clients);
      Open& open = open_[client];
      if (open.phase == 0 && begun < shape_.txns) {
        invoke(client);
        ++begun;
      } else if (open.phase == 1) {
        // Some moment between the events: the transaction takes effect.
        if (shape_.store != "snapshot") effect(open.txn);
        open.phase = 2;
      } else if (open.phase == 2) {
        complete(client);
        ++ended;
      }
    }
    std::shuffle(untimed_.begin(), untimed_.end(), chance_);
    for (std::size_t t = 0; t < untimed_.size(); ++t) {
      out_.event(t, "invoke", untimed_[t], false);
      out_.event(t, "ok", untimed_[t], true);
    }
  }

 private:
  struct Key {
    std::int64_t number;
    std::size_t writes;
  };
  struct Open {
    int phase = 0;
    Txn txn;
    std::vector<std::size_t> began;  // snapshot: how many versions the keys had
  };

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(chance_() % n); }
  bool happens(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(chance_) < p; }

  void invoke(std::size_t client) {
    Txn txn;
    for (std::size_t i = 0; i < shape_.ops; ++i) {
      Key& key = active_[below(active_.size())];
      Micro op;
      op.key = key.number;
      op.read = happens(shape_.reads);
      if (!op.read) {
        op.element = static_cast<std::int64_t>(++key.writes);
        if (shape_.values > 0) op.element = static_cast<std::int64_t>(1 + below(shape_.values));
        if (key.writes >= shape_.writes) key = {next_key_++, 0};
      }
      txn.push_back(op);
    }
    if (shape_.store != "untimed") out_.event(process_[client], "invoke", txn, false);
    open_[client] = {1, std::move(txn), {}};
    if (shape_.store == "snapshot") snapshot(open_[client]);
  }

  std::vector<std::int64_t> seen(const std::vector<std::int64_t>& list, std::size_t length) const {
    if (!shape_.registers) return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(length)};
    return length == 0 ? std::vector<std::int64_t>() : std::vector<std::int64_t>{list[length - 1]};
  }

  void effect(Txn& txn) {
    ++effects_;
    for (Micro& op : txn) {
      auto& list = state_[op.key];
      if (!op.read) {
        list.push_back(op.element);
      } else {
        const bool miss = shape_.store == "stale" && !list.empty() && happens(shape_.stale);
        op.seen = seen(list, list.size() - (miss ? 1 : 0));
        if (shape_.changed > changed_ && effects_ > shape_.txns / 2 && list.size() > 1) {
          op.seen = seen(list, 1 + below(list.size() - 1));
          ++changed_;
        }
      }
    }
  }

  void snapshot(Open& open) {
    std::map<std::int64_t, std::vector<std::int64_t>> own;
    for (Micro& op : open.txn) {
      const auto& list = state_[op.key];
      open.began.push_back(list.size());
      auto& mine = own.try_emplace(op.key, list).first->second;
      if (op.read)
        op.seen = seen(mine, mine.size());
      else
        mine.push_back(op.element);
    }
  }
  bool commit(Open& open) {
    for (std::size_t i = 0; i < open.txn.size(); ++i) {
      if (!open.txn[i].read && state_[open.txn[i].key].size() != open.began[i]) return false;
    }
    for (const Micro& op : open.txn) {
      if (!op.read) state_[op.key].push_back(op.element);
    }
    return true;
  }

  void complete(std::size_t client) {
    Open& open = open_[client];
    open.phase = 0;
    if (shape_.store == "untimed") {
      untimed_.push_back(open.txn);
    } else if (shape_.store == "snapshot" && !commit(open)) {
      out_.event(process_[client], "fail", open.txn, false);
    } else if (happens(shape_.crashed)) {
      out_.event(process_[client], "info", open.txn, false);
      process_[client] += shape_.clients;
    } else {
      out_.event(process_[client], "ok", open.txn, true);
    }
  }

  const Shape& shape_;
  std::mt19937_64 chance_;
  Writer out_;
  std::vector<Open> open_;
  std::vector<std::size_t> process_;
  std::vector<Key> active_;
  std::int64_t next_key_ = 0;
  std::size_t effects_ = 0, changed_ = 0;
  std::vector<Txn> untimed_;
  std::map<std::int64_t, std::vector<std::int64_t>> state_;
};

void ring(const Shape& shape) {
  std::mt19937_64 chance(shape.seed);
  Writer out(shape);
  const std::size_t n = shape.ring;
  std::vector<Txn> txns(n);
  const auto key = [&](std::size_t layer, std::size_t i) { return static_cast<std::int64_t>(layer * n + i); };
  for (std::size_t layer = 0; layer <= shape.chords; ++layer) {
    for (std::size_t i = 0; i < n; ++i) {
      txns[i].push_back({true, key(layer, i), 0, {}});
      const std::size_t distance = layer == 0 ? 1 : 1 + static_cast<std::size_t>(chance() % 1000);
      txns[i].push_back({false, key(layer, (i + distance) % n), static_cast<std::int64_t>(i) + 1, {}});
    }
  }
  for (std::size_t i = 0; i < n; ++i) out.event(i, "invoke", txns[i], false);
  for (std::size_t i = 0; i < n; ++i) out.event(i, "ok", txns[i], true);
}

}  // namespace

int main(int argc, char** argv) {
  Shape shape;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto split = argument.find('=');
    const std::string name = argument.substr(0, split),
                      text = split == std::string::npos ? "1" : argument.substr(split + 1);
    const double value = std::atof(text.c_str());
    const auto count = static_cast<std::size_t>(value);
    if (name == "txns")
      shape.txns = count;
    else if (name == "clients")
      shape.clients = count;
    else if (name == "ops")
      shape.ops = count;
    else if (name == "keys")
      shape.keys = count;
    else if (name == "writes")
      shape.writes = count;
    else if (name == "ring")
      shape.ring = count;
    else if (name == "chords")
      shape.chords = count;
    else if (name == "model")
      shape.registers = text == "rw-register";
    else if (name == "format")
      shape.edn = text == "edn";
    else if (name == "store")
      shape.store = text;
    else if (name == "stale")
      shape.stale = value;
    else if (name == "crashed")
      shape.crashed = value;
    else if (name == "reads")
      shape.reads = value;
    else if (name == "values")
      shape.values = count;
    else if (name == "changed")
      shape.changed = count;
    else if (name == "seed")
      shape.seed = static_cast<std::uint64_t>(value);
    else {
      std::fprintf(stderr,
                   "unknown argument %s; known: txns, clients, ops, keys, writes, ring, chords, model, store, stale, "
                   "crashed, format, seed, reads, values, changed\n",
                   name.c_str());
      return 64;
    }
  }
  if (shape.store != "serial" && shape.store != "snapshot" && shape.store != "stale" && shape.store != "untimed") {
    std::fprintf(stderr, "unknown store %s; known: serial, snapshot, stale, untimed\n", shape.store.c_str());
    return 64;
  }
  if (shape.ring > 0) {
    ring(shape);
  } else {
    Generator(shape).run();
  }
  return 0;
}
