// A stopped node's files, tampered with, one kind after the other: each is named by `ordeal-log verify` or by the node,
// and the node either refuses to start or serves exactly what it had served before.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "support/free_port.h"
#include "support/program.h"
#include "targets/log/log_api.h"
#include "targets/log/server/tree/keys.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::Background;

constexpr int kEarly = 45, kAll = 75;  // a dozen entries behind the last snapshot

// One node alone.
class Node {
 public:
  Node(std::string data, const std::string& log)
      : client_("127.0.0.1:" + std::to_string(testing::free_port())),
        process_({ORDEAL_LOG, "--data=" + std::move(data), "--listen-client=" + client_,
                  "--listen-peer=127.0.0.1:" + std::to_string(testing::free_port()), "--snapshot-entries=20"},
                 log) {}

  // Nothing: it serves. Otherwise its exit code.
  int exit_code_or_ready() {
    const Deadline deadline = Deadline::after_s(60);
    while (!deadline.passed()) {
      if (LogApi("http://" + client_).get("/readyz", Deadline::after_s(30))) return kServes;
      if (const int code = process_.wait(milliseconds(50)); code >= 0) return code;
    }
    ADD_FAILURE() << "neither served nor ended within a minute";
    return -1;
  }
  void append(int from, int to) {
    for (int i = from; i < to; ++i) {
      const Value entry = Value::map({{"entry", "entry " + std::to_string(i)}});
      ASSERT_TRUE(LogApi("http://" + client_).call("/v1/log/append", entry, true, Deadline::after_s(30)));
    }
  }
  std::string served() {
    const auto all = LogApi("http://" + client_).call("/v1/log/read", Value::map(), false, Deadline::after_s(30));
    const auto head = LogApi("http://" + client_).get("/v1/log/head", Deadline::after_s(30));
    return all && head ? all->to_json() + head->find("root")->to_json() : "nothing";
  }
  int stop() {
    process_.signal(SIGTERM);
    return process_.wait(std::chrono::seconds(60));
  }
  static constexpr int kServes = 1000;

 private:
  const std::string client_;
  Background process_;
};

void flip(const std::string& path, std::size_t byte) {
  std::string bytes = *read_text_file(path);
  ASSERT_LT(byte, bytes.size()) << path;
  bytes[byte] = static_cast<char>(bytes[byte] ^ 1);
  ASSERT_TRUE(replace_file(path, bytes)) << path;
}
std::string last_in(const std::string& folder, const std::string& ending) {
  std::string last;
  for (const auto& one : fs::directory_iterator(folder)) {
    if (one.path().string().ends_with(ending)) last = std::max(last, one.path().string());
  }
  return last;
}
std::string segment(const std::string& data) { return last_in(data + "/wal", ".wal"); }
std::string snapshot(const std::string& data) { return last_in(data + "/snap", ".snap"); }
void copy(const std::string& from, const std::string& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

// The batches of the last segment, put together again in another order, or without some.
void rearrange(const std::string& data, const std::function<void(std::vector<std::string>&)>& change) {
  const std::string path = segment(data), bytes = *read_text_file(path), mark("OLB\x01", 4);
  std::vector<std::string> parts;
  std::size_t at = bytes.find(mark);
  const std::string header = bytes.substr(0, at);
  while (at != std::string::npos) {
    const std::size_t next = bytes.find(mark, at + 1);
    parts.push_back(bytes.substr(at, next - at));
    at = next;
  }
  ASSERT_GE(parts.size(), 4U);
  change(parts);
  std::string out = header;
  for (const std::string& part : parts) out += part;
  ASSERT_TRUE(replace_file(path, out));
}

struct Places {
  std::string data, early, other;  // the node's data, that of an earlier day, that of another cluster
};
struct Kind {
  const char* name;
  const char* file;  // that must be named
  std::function<void(const Places&)> tamper;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"a bit in a segment", ".wal", [](const Places& in) { flip(segment(in.data), 400); }},
      {"a bit in the newest snapshot", ".snap", [](const Places& in) { flip(snapshot(in.data), 300); }},
      {"a bit in the mark", "wal/mark", [](const Places& in) { flip(in.data + "/wal/mark", 90); }},
      {"a bit in a leaf", "tree/leaves", [](const Places& in) { flip(in.data + "/tree/leaves", 128 + 32 * 7 + 5); }},
      {"a bit in the leaves' header", "tree/leaves", [](const Places& in) { flip(in.data + "/tree/leaves", 9); }},
      {"a bit in the head's root", "tree/checkpoint",
       [](const Places& in) {
         flip(in.data + "/tree/checkpoint", read_text_file(in.data + "/tree/checkpoint")->find("\n75\n") + 8);
       }},
      {"a bit in the head's signature", "tree/checkpoint",
       [](const Places& in) {
         flip(in.data + "/tree/checkpoint", read_text_file(in.data + "/tree/checkpoint")->size() - 12);
       }},
      {"a bit in the key", "head.key",
       [](const Places& in) { flip(in.data + "/head.key", read_text_file(in.data + "/head.key")->size() - 8); }},
      {"a bit in the node's identity", "cluster",
       [](const Places& in) {
         const std::string path = in.data + "/node.json";
         flip(path, read_text_file(path)->find("\"cluster\":\"") + 14);
       }},
      {"a record removed", ".wal",
       [](const Places& in) { rearrange(in.data, [](auto& parts) { parts.erase(parts.begin() + 1); }); }},
      {"two records swapped", ".wal",
       [](const Places& in) { rearrange(in.data, [](auto& parts) { std::swap(parts[1], parts[2]); }); }},
      {"a tail cut", ".wal", [](const Places& in) { rearrange(in.data, [](auto& parts) { parts.pop_back(); }); }},
      {"a tail cut within a record", ".wal",
       [](const Places& in) { fs::resize_file(segment(in.data), fs::file_size(segment(in.data)) - 5); }},
      {"the log of an earlier day", "tree/leaves",
       [](const Places& in) {
         for (const char* folder : {"/wal", "/snap"}) {
           fs::remove_all(in.data + folder);
           copy(in.early + folder, in.data + folder);
         }
       }},
      {"a snapshot of another cluster", ".snap", [](const Places& in) { copy(snapshot(in.other), snapshot(in.data)); }},
      {"the leaves of another cluster", "tree/leaves",
       [](const Places& in) { copy(in.other + "/tree/leaves", in.data + "/tree/leaves"); }},
      {"the head of another log", "tree/checkpoint",
       [](const Places& in) { copy(in.other + "/tree/checkpoint", in.data + "/tree/checkpoint"); }},
  };
  return all;
}

// Two nodes of two clusters, stopped; the first as it was on an earlier day, too.
struct Bench {
  testing::TemporaryDirectory directory;
  Places clean{at("n1"), at("early"), at("other")};
  std::string served;
  std::string key;

  Bench() {
    run(clean.data, 0, kEarly);
    copy(clean.data, clean.early);
    run(clean.data, kEarly, kAll);
    run(clean.other, 1000, 1000 + kAll);
    const auto secret = log::tree::SigningKey::parse(trimmed(*read_text_file(clean.data + "/head.key")));
    EXPECT_TRUE(secret);
    if (secret) key = secret->verifier().text();
  }
  void run(const std::string& data, int from, int to) {
    Node node(data, at("log"));
    EXPECT_EQ(node.exit_code_or_ready(), Node::kServes) << *read_text_file(at("log"));
    node.append(from, to);
    if (data == clean.data) served = node.served();
    EXPECT_EQ(node.stop(), 0);
  }
  [[nodiscard]] std::string at(const std::string& name) const { return directory.path() + "/" + name; }
  [[nodiscard]] testing::ProgramResult verify(const std::string& data) const {
    return testing::run_program({ORDEAL_LOG, "verify", "--origin", "ordeal.example/log", "--key", key, data});
  }
};

TEST(Tampering, EachKindIsNamedAndNothingOfItIsServed) {
  const Bench bench;
  const auto sound = bench.verify(bench.clean.data);
  ASSERT_EQ(sound.exit_code, 0) << sound.out << sound.err;
  ASSERT_NE(sound.out.find(std::to_string(kAll) + " leaves"), std::string::npos) << sound.out;
  for (const Kind& kind : kinds()) {
    Places in = bench.clean;
    in.data = bench.at("tampered");
    copy(bench.clean.data, in.data);
    kind.tamper(in);
    const std::string log = bench.at(kind.name);
    std::string said = bench.verify(in.data).out;
    bool named = said.find("damaged") != std::string::npos && said.find(kind.file) != std::string::npos;
    {
      Node node(in.data, log);
      const int end = node.exit_code_or_ready();
      if (end == Node::kServes) {
        EXPECT_EQ(node.served(), bench.served) << kind.name;
        EXPECT_EQ(node.stop(), 0) << kind.name;
      } else {
        EXPECT_EQ(end, 3) << kind.name;
      }
      const std::string told = *read_text_file(log);
      named = named || (end == 3 && told.find(kind.file) != std::string::npos);
      said += told;
    }
    EXPECT_TRUE(named) << kind.name << ": " << kind.file << " is not named: " << said;
    fs::remove_all(in.data);
  }
}

}  // namespace
}  // namespace ordeal
