// `ordeal-log verify` and `ordeal-log audit` as the program calls them: words in, exit codes and sentences out, on real
// directories and over HTTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "targets/log/server/state/command.h"
#include "targets/log/server/tools/commands.h"
#include "targets/log/server/tree/checkpoint.h"
#include "targets/log/server/tree/tiles.h"
#include "targets/log/server/wal/posix_files.h"

namespace ordeal::log::tools {
namespace {

using ::testing::HasSubstr;

class Tools : public ::testing::Test {
 protected:
  Tools() {
    std::string name = ::testing::TempDir() + "ordeal-log-tools-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~Tools() override { std::filesystem::remove_all(directory_); }

  // A node's data directory with so many appended entries.
  std::string data(int entries) {
    wal::PosixFiles files;
    wal::Recovery found;
    const std::string path = directory_ + "/n1";
    auto storage = wal::Storage::open(files, {path, "cluster-a", 1, 5}, found);
    EXPECT_TRUE(storage);
    for (int i = 1; i <= entries; ++i) {
      const state::Command command = append(i);
      (*storage)->append(
          std::vector{raft::Entry{1, static_cast<raft::Index>(i), raft::EntryKind::command, encode(command)}});
    }
    EXPECT_TRUE((*storage)->close());
    return path;
  }
  static state::Command append(int i) {
    state::Command command;
    command.kind = state::CommandKind::append;
    command.value = "entry " + std::to_string(i);
    return command;
  }
  std::string directory_;
};

TEST_F(Tools, VerifySaysWhatIsThere) {
  const std::string path = data(5);
  const CommandEnd sound = verify_command({path});
  EXPECT_EQ(sound.exit_code, 0) << sound.text;
  EXPECT_THAT(sound.text, HasSubstr("sound: 1 segments, 2 batches, 0 snapshots, 5 leaves"));
  const std::string segment = path + "/wal/00000000000000000001.wal";
  EXPECT_EQ(verify_command({segment, path + "/wal/mark"}).exit_code, 0);
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(300);
  file.put('\x7f');
  file.close();
  const CommandEnd damaged = verify_command({path});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.text, HasSubstr("damaged: " + segment + ", offset "));
  EXPECT_EQ(verify_command({segment}).exit_code, 1);
}

TEST_F(Tools, WrongUsageIsSaid) {
  const auto quiet = [](const std::string&) {};
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"--what", "x", "d"}, {"--key"}, {"--key", "x", "d"}, {directory_ + "/nothing"}}) {
    EXPECT_EQ(verify_command(words).exit_code, 64);
  }
  const std::string key = tree::SigningKey("log.example", {1}).verifier().text();
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {},
           {"http://127.0.0.1:1"},
           {"--origin", "log.example", "--key", key},
           {"--origin=log.example", "--key=" + key, "--rounds=0", "http://127.0.0.1:1"}}) {
    EXPECT_EQ(audit_command(words, quiet).exit_code, 64);
  }
}

TEST_F(Tools, ADirectoryInUseIsNotLookedAt) {
  const std::string path = data(1);
  const auto lock = wal::DirectoryLock::take(path);
  const CommandEnd end = verify_command({path});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(end.text, HasSubstr("another process"));
}

// A log over HTTP whose history may be exchanged.
class Served {
 public:
  explicit Served(const tree::SigningKey& key) : key_(key) {
    server_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const std::string path = request.path.substr(1);
      const auto tile = tree::parse_tile_path(path);
      if (path == "checkpoint") {
        response.set_content(tree::sign_checkpoint({"log.example", tree_.size(), tree_.root(), {}}, {&key_}),
                             "text/plain");
      } else if (!tile || !tree::tile_exists(*tile, tree_.size())) {
        response.status = 404;
      } else if (!tile->entries) {
        response.set_content(tree::tile_bytes(tree_, *tile), "application/octet-stream");
      } else {
        std::string bundle;
        for (unsigned i = 0; i < tile->width; ++i) tree::add_to_bundle(bundle, entries_[tile->index * 256 + i]);
        response.set_content(bundle, "application/octet-stream");
      }
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Served() {
    server_.stop();
    thread_.join();
  }
  void grow(const std::string& what, int n) {
    for (int i = 0; i < n; ++i) {
      entries_.push_back(what + std::to_string(i));
      tree_.append(entries_.back());
    }
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  tree::SigningKey key_;
  tree::Tree tree_;
  std::vector<std::string> entries_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(Tools, AuditFollowsNodesOverHttp) {
  const tree::SigningKey key("log.example", {1});
  Served one(key), two(key);
  one.grow("entry ", 300);
  two.grow("entry ", 260);
  std::string said;
  const auto audit = [&] {
    said.clear();
    const CommandEnd end = audit_command({"--origin", "log.example", "--key", key.verifier().text(), "--keep",
                                          directory_ + "/kept", "--rounds", "2", "--every", "0", one.url(), two.url()},
                                         [&](const std::string& text) { said += text; });
    said += end.text;
    return end.exit_code;
  };
  EXPECT_EQ(audit(), 0) << said;
  EXPECT_THAT(said, HasSubstr("2 heads of one history, the largest of 300 leaves; 0 wait"));
  one.grow("entry ", 10);
  two.grow("forged ", 100);
  EXPECT_EQ(audit(), 1);
  EXPECT_THAT(said, HasSubstr("forked: "));
  EXPECT_THAT(said, HasSubstr("the histories part at leaf 260"));
  EXPECT_EQ(audit_command({"--origin=log.example", "--key=" + key.verifier().text(), "http://127.0.0.1:1"},
                          [](const std::string&) {})
                .exit_code,
            2);
}

}  // namespace
}  // namespace ordeal::log::tools
