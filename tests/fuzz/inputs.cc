#include "tests/fuzz/inputs.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "base/descriptor.h"
#include "base/text.h"
#include "harness/control/known_hosts.h"
#include "harness/control/server_hello.h"
#include "harness/control/ssh_config.h"
#include "harness/nodes/cluster_state.h"
#include "harness/nodes/inventory.h"
#include "harness/nodes/node_root.h"
#include "harness/nodes/node_source.h"
#include "harness/store/run_end.h"
#include "nemesis/engine/ledger.h"
#include "nemesis/engine/timeline.h"
#include "nemesis/engine/trigger.h"
#include "nemesis/network/links.h"
#include "nemesis/network/packet_filter.h"
#include "nemesis/network/ports.h"
#include "nemesis/node/cgroup.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/process_state.h"
#include "nemesis/programs/agent/packet.h"
#include "reports/text.h"
#include "session/campaign/campaign.h"
#include "session/environment.h"
#include "session/resolve_plan.h"
#include "targets/etcd/api.h"
#include "targets/process/words.h"
#include "tests/fuzz/log_inputs.h"

namespace ordeal::testing {
namespace {

template <class T>
Refusal refusal(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error();
}

Refusal campaign(const std::string& text) {
  const auto file = parse_campaign(text, "c.toml");
  return file ? refusal(plan_campaign(*file)) : file.error();
}

Refusal ssh_config(const std::string& text) {
  const auto config = SshConfig::parse(text, "config", "/nonexistent");
  if (!config) return config.error();
  for (const char* host : {"db-1", "web.example"}) {
    if (const auto found = config->lookup(host); !found) return found.error();
  }
  return std::nullopt;
}

Refusal known_hosts(const std::string& text) {
  KnownHosts hosts;
  hosts.add(text, "known_hosts");
  for (const int port : {22, 2222}) {
    (void)hosts.check("db-1", port, "ssh-ed25519", "blob");
    (void)hosts.types_of("10.0.0.1", port);
  }
  return std::nullopt;
}

Refusal server_hello(const std::string& text) {
  const ServerHello hello = parse_server_hello(text);
  (void)hello.offers_usable_host_key();
  (void)hello.offers_only_rsa();
  (void)key_type_of_blob(text);
  return std::nullopt;
}

Refusal ledger(const std::string& text) {
  static const int kFile =
      memfd_create("ledger.jsonl", MFD_CLOEXEC);  // thousands of files on a disk would take seconds
  ORDEAL_CHECK(
      ftruncate(kFile, 0) == 0 && pwrite(kFile, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()),
      "a file in memory can be written");
  return refusal(read_ledger("/proc/self/fd/" + std::to_string(kFile)));
}

Refusal jumps(const std::string& text) {
  for (const auto& one : split(text, ',')) {
    if (const auto jump = parse_jump(one); !jump) return jump.error();
  }
  return refusal(expand_ssh_tokens(text, {{'h', "host"}, {'p', "22"}}, "/home/me"));
}

std::string ssh_string(const std::string& text) {
  return std::string{'\0', '\0', '\0', static_cast<char>(text.size())} + text;
}

// A banner and a KEXINIT packet (RFC 4253, 7.1): cookie, then lists of names, the second of host key types.
std::string hello_sample() {
  const std::string payload = '\x14' + std::string(16, 'c') + ssh_string("curve25519-sha256") +
                              ssh_string("ssh-ed25519,ssh-rsa") + ssh_string("aes128-ctr") + ssh_string("aes128-ctr");
  return "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" +
         std::string{'\0', '\0', '\0', static_cast<char>(payload.size() + 5), '\4'} + payload + std::string(4, '\0');
}

// A line of what a disk, an agent or a node says.
template <class Read>
std::function<Refusal(const std::string&)> total(Read read) {
  return [read](const std::string& text) {
    read(text);
    return Refusal();
  };
}

Refusal plan_json(const std::string& text) {
  const auto value = Value::from_json(text);
  if (!value) return value.error();
  auto declared = declared_options("etcd", "register", {"kill"});
  ORDEAL_CHECK(declared, "the options of a target of ours");
  const auto plan = Plan::from_value(*value, *std::move(declared));
  if (plan) (void)repeat_command(*plan);
  return refusal(plan);
}

std::string plan_sample() {
  RunRequest request;
  request.flags = {
      {"target", {"etcd", "--target"}}, {"workload", {"register", "--workload"}}, {"nemesis", {"kill", "--nemesis"}}};
  const auto plan = resolve(request);
  ORDEAL_CHECK(plan, "a plan of ours");
  return plan->to_value().to_json();
}

void environment_json(const std::string& text) {
  const auto value = Value::from_json(text);
  if (!value) return;
  const Environment environment = Environment::from_value(*value);
  (void)environment.facts();
  (void)environment.worker_nodes(7);
  (void)RunEnd::from_value(*value);
}

// An HTTP server that answers everything with the same bytes.
class HttpServer {
 public:
  HttpServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ORDEAL_CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::listen(listener_.get(), 16) == 0 &&
                     ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0,
                 "a socket on loopback");
    endpoint_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });  // as long as the program, which keeps this object for ever
  }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  void say(const std::string& answer) {
    const std::lock_guard lock(mutex_);
    answer_ = answer;
  }

 private:
  void serve() {
    for (;;) {
      const Descriptor peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[4096];
      if (!peer || ::recv(peer.get(), request, sizeof request, 0) <= 0) continue;
      std::string answer;
      {
        const std::lock_guard lock(mutex_);
        answer = answer_;
      }
      (void)!::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      ::shutdown(peer.get(), SHUT_WR);
    }
  }
  Descriptor listener_;
  std::string endpoint_;
  std::mutex mutex_;
  std::string answer_;  // guarded by mutex_
  std::thread thread_;
};

// Every call of etcd's client, answered so: by the whole HTTP answer, or by its body.
void etcd_answer(const std::string& text) {
  static auto& server = *new HttpServer;
  server.say(text.starts_with("HTTP/") ? text
                                       : "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) +
                                             "\r\nConnection: close\r\n\r\n" + text);
  EtcdApi api(server.endpoint());
  const Deadline soon = Deadline::after(std::chrono::milliseconds(500));
  switch (text.size() % 5) {
    case 0:
      (void)api.range({.key = "k"}, soon);
      break;
    case 1:
      (void)api.put({.key = "k", .value = "1"}, soon);
      break;
    case 2:
      (void)api.txn({.compare = {}, .success = {EtcdRange{.key = "k"}}, .failure = {}}, soon);
      break;
    case 3:
      (void)api.status(soon);
      break;
    default:
      (void)api.members(soon);
  }
}

void packet(const std::string& text) {
  std::vector<unsigned char> bytes(text.begin(), text.end());
  agent::PacketLayout layout;
  if (agent::parse_packet(bytes, layout)) {
    ORDEAL_CHECK(layout.transport_at <= bytes.size(), "the transport's header begins within the packet");
  }
  (void)agent::source_key(bytes);
  (void)agent::corrupt_packet(bytes, text.size() % 2 == 0, text.size() * 7919);
  ORDEAL_CHECK(bytes.size() == text.size(), "no packet grows");
}

// An IPv4 header, then UDP with two bytes.
std::string packet_sample() {
  return std::string("\x45\0\0\x1e\0\1\0\0\x40\x11\0\0\x0a\x4d\0\1\x0a\x4d\0\2\x12\x34\x09\x4b\0\x0a\0\0hi", 30);
}

std::vector<FuzzedInput> with_log_inputs(std::vector<FuzzedInput> inputs) {
  for (FuzzedInput& input : log_inputs()) inputs.push_back(std::move(input));
  return inputs;
}

}  // namespace

const std::vector<FuzzedInput>& fuzzed_inputs() {
  static const std::vector<FuzzedInput> kInputs = with_log_inputs({
      {"campaign",
       "target = \"etcd\"\nworkload = [\"register\", \"set\"]\nnodes = \"local:3\"\nseed = [1, 2]\ntime-limit = "
       "\"60s\"\n"
       "rate = 100\nconcurrency = 6\n[nemesis]\nschedule = [\"random\", \"periodic\"]\nfaults = \"kill,pause\"\n"
       "[set]\n\"etcd.serializable-reads\" = false\n\"kill.nodes\" = \"minority\"\n",
       campaign},
      {"campaign_with_timeline",
       "target = \"etcd\"\n[[nemesis.timeline]]\nat = 5.0\nfault = \"partition\"\nduration = 3\nshape = \"halves\"\n"
       "[[nemesis.timeline]]\nwhen = \"leader-change\"\nafter = 0.5\nfault = \"kill\"\ntimes = 3\nevery = 10\n",
       campaign},
      {"nemesis_flag", "partition, kill,pause",
       [](const std::string& text) {
         RunRequest request;
         request.flags = {{"target", {"etcd", "--target"}}, {"nemesis", {text, "--nemesis"}}};
         return refusal(resolve(request));
       }},
      {"settings", "kill.nodes=n1,n3",
       [](const std::string& text) {
         const auto pair = key_value(text);
         if (!pair) return refusal(pair);
         RunRequest request;
         request.flags = {{"target", {"etcd", "--target"}}, {"nemesis", {"kill", "--nemesis"}}};
         request.settings = {{pair->first, {pair->second, "--set"}}};
         return refusal(resolve(request));
       }},
      {"timeline",
       R"([{"at":1.5,"fault":"kill","nodes":"n1,n2","times":0,"every":2},{"when":"log@n2:panic","after":1,"fault":"pause"}])",
       [](const std::string& text) { return refusal(parse_timeline(text)); }},
      {"triggers", "kill=leader-change; pause=operation:cas; clock=log@n2:pan(ic|ick)+; dns=phase:final",
       [](const std::string& text) { return refusal(parse_lane_triggers(text)); }},
      {"nodes_flag", "h1,h2,db-3.example", [](const std::string& text) { return refusal(nodes::check_nodes(text)); }},
      {"duration", "1.5s", [](const std::string& text) { return refusal(parse_duration(text)); }},
      {"size", "512MiB", [](const std::string& text) { return refusal(parse_size(text)); }},
      {"words", "python3 \"my adapter.py\" --port '23 79'",
       [](const std::string& text) { return refusal(split_words(text)); }},
      {"inventory",
       "# hosts\nnetwork-namespace=/proc/4711/ns/net\nn1 host=10.0.0.1 user=root identity=~/.ssh/id_ed25519\n"
       "n2 host=10.0.0.2 port=2222 known_hosts=\"my hosts.txt\" jump=admin@gate:22,[::1]:23 agent=no\n",
       [](const std::string& text) { return refusal(nodes::parse_inventory(text, "hosts")); }},
      {"cluster_json",
       R"({"name":"a","directory":"/run/ordeal/a","keeper":17,"up_since":5,"storage":"","hub_address":"10.77.0.254",)"
       R"("nodes":[{"name":"n1","address":"10.77.0.1","address6":"fd0d::1","pid":18,"host_key":"ssh-ed25519 AAAA"}]})",
       [](const std::string& text) { return refusal(nodes::ClusterState::from_json(text)); }},
      {"mountinfo",
       "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n23 22 0:20 / /mnt/a\\040b rw - tmpfs tmpfs rw\n24 22 "
       "0:21 / /proc rw - proc proc rw\n",
       [](const std::string& text) {
         (void)nodes::mounts_to_overlay(text);
         return Refusal();
       },
       true},
      {"ssh_config",
       "# mine\nHost db-* !db-2 \"web.example\"\n  HostName %h.internal\n  Port=2222\n  User root\n  IdentityFile "
       "\"~/.ssh/my key\"\n"
       "  ProxyJump admin@gate:22,ssh://inner\n  StrictHostKeyChecking accept-new\n  ConnectTimeout 5\nMatch host "
       "db-1\n"
       "  UserKnownHostsFile ~/.ssh/a ~/.ssh/b\nMatch exec \"true\"\n  User nobody\nInclude nothing/*.conf\n",
       ssh_config},
      {"jumps", "admin@gate:22,user@[::1]:2200,ssh://inner", jumps},
      {"known_hosts",
       "db-1,10.0.0.? ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB\n[db-1]:2222 ssh-rsa AAAAB3\n@revoked * ssh-ed25519 AAAA\n"
       "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAA\n",
       known_hosts, true},
      {"server_hello", hello_sample(), server_hello, true},
      {"ledger",
       "{\"entry\":\"run\",\"version\":1,\"run\":\"3f2a\",\"nodes\":\"local:5\",\"addresses\":{\"n1\":\"10.0.0.1\"}}\n"
       "{\"entry\":\"open\",\"id\":\"3f2a-4\",\"fault\":\"partition\",\"description\":{\"a\":[1]},\"undo\":[{\"node\":"
       "\"n1\",\"script\":\"true\"}]}\n"
       "{\"entry\":\"close\",\"id\":\"3f2a-4\",\"by\":\"driver\"}\n",
       ledger},
      {"plan_json", plan_sample(), plan_json},
      {"environment_json",
       R"({"started":"2026-11-21T10:00:00Z","log_pattern":"panic","nodes":["n1","n2"],"environment":{"ordeal":"1","host":)"
       R"({"kernel":"Linux","processors":2,"memory_mib":9},"target":{"n1":{"version":"3"}}},"outcome":{"step":"end","how":"complete",)"
       R"("main_s":1.5,"unrecovered":["n1"]},"failure":{"code":"target","message":"x"}})",
       total(environment_json), true},
      {"etcd_answer",
       R"({"header":{"cluster_id":"1","member_id":"2","revision":"7","raft_term":"2"},"kvs":[{"key":"aw==","create_revision":"3",)"
       R"("mod_revision":"7","version":"2","value":"MQ=="}],"count":"1","succeeded":true,"responses":[{"response_range":{"kvs":[]}}],)"
       R"("members":[{"ID":"5","name":"n1","peerURLs":["http://10.0.0.1:2380"]}],"leader":"5","version":"3.5.0"})",
       total(etcd_answer), true},
      {"http_answer",
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
       "chunked\r\n\r\n1a\r\n{\"kvs\":[{\"key\":\"aw==\"}]}"
       "\r\n0\r\n\r\n",
       total(etcd_answer), true},
      {"process_states", "17 (a b) c) S 1 17 17 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 1 2\n18 (x) T 1 2 3\n",
       total([](const std::string& text) { (void)parse_states(text); }), true},
      {"cgroups", "17 2 /sys/fs/cgroup /a/b\n18 1 /sys/fs/cgroup/freezer /\nproblem x\n",
       total([](const std::string& text) { (void)parse_cgroups(text); }), true},
      {"beat", "3f2a91bc-4\n3f2a91bc-5\n.\n", total([](const std::string& text) { (void)parse_beat(text); }), true},
      {"packet_counters",
       "[12:3456] -A ORDEAL-3f2a-4 -s 10.77.0.2/32 -j DROP\n[0:0] -A ORDEAL-3f2a-4 -s fd0d::1/128 -j DROP\n",
       total([](const std::string& text) { (void)parse_counters(text); }), true},
      {"addresses", "controller 10.77.0.254\nfib\n  |-- 10.77.0.1\n     /32 host LOCAL\ninet6\n",
       total([](const std::string& text) { (void)parse_addresses(text); }), true},
      {"ports", "2379,2380", [](const std::string& text) { return refusal(parse_ports(text)); }},
      {"packet", packet_sample(), total(packet), true},
      {"shown_text", "plain \x1b[31m \xc2\x9b \xe2\x80\xae \xff\n\t", total([](const std::string& text) {
         for (const char c : visible_in_line(text))
           ORDEAL_CHECK(static_cast<unsigned char>(c) >= 0x20, "nothing is obeyed");
         (void)html_text(text);
         (void)xml_text(text);
       }),
       true},
  });
  return kInputs;
}

std::string complaint(const Refusal& refused) {
  if (!refused) return "";
  const bool bad_input =
      refused->code == ErrorCode::usage || refused->code == ErrorCode::input || refused->code == ErrorCode::not_found;
  if (!bad_input) return "refused, but not as bad input: " + refused->message;
  return refused->message.empty() ? "refused without a word" : "";
}

}  // namespace ordeal::testing
