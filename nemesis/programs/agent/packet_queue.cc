#include "nemesis/programs/agent/packet_queue.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace ordeal::agent {
namespace {

constexpr std::size_t kMaxBytes = 0xffff;
constexpr std::uint32_t kMaxPackets = 32'768;  // that wait in the kernel
constexpr int kAtOnce = 64;                    // packets between two looks at the clock

// A message to the queue's subsystem, built piece by piece.
class Message {
 public:
  Message(std::vector<unsigned char>& bytes, int type, int flags, int queue) : bytes_(bytes) {
    bytes_.assign(NLMSG_LENGTH(sizeof(nfgenmsg)), 0);
    nlmsghdr head{};
    head.nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_QUEUE << 8U) | type);
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    std::memcpy(bytes_.data(), &head, sizeof head);
    nfgenmsg family{};
    family.nfgen_family = AF_UNSPEC;
    family.version = NFNETLINK_V0;
    family.res_id = htons(static_cast<std::uint16_t>(queue));
    std::memcpy(bytes_.data() + NLMSG_HDRLEN, &family, sizeof family);
  }
  void add(int type, const void* data, std::size_t size) {
    nlattr head{};
    head.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + size);
    head.nla_type = static_cast<std::uint16_t>(type);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + NLA_ALIGN(NLA_HDRLEN + size), 0);
    std::memcpy(bytes_.data() + at, &head, sizeof head);
    std::memcpy(bytes_.data() + at + NLA_HDRLEN, data, size);
  }
  ssize_t send(int socket) {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    return ::sendto(socket, bytes_.data(), bytes_.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  }

 private:
  std::vector<unsigned char>& bytes_;
};

template <class T>
T read_as(const unsigned char* at) {
  T out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

// The packet in a message of the kernel's; false when there is none.
bool parse_packet_message(unsigned char* message, std::size_t size, QueuedPacket& out) {
  const auto head = read_as<nlmsghdr>(message);
  if (head.nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8U) | NFQNL_MSG_PACKET)) return false;
  bool whole = false;
  std::size_t at = NLMSG_LENGTH(sizeof(nfgenmsg));
  while (at + NLA_HDRLEN <= size) {
    const auto attribute = read_as<nlattr>(message + at);
    if (attribute.nla_len < NLA_HDRLEN || at + attribute.nla_len > size) break;
    unsigned char* const data = message + at + NLA_HDRLEN;
    const std::size_t length = attribute.nla_len - static_cast<std::size_t>(NLA_HDRLEN);
    switch (attribute.nla_type & NLA_TYPE_MASK) {
      case NFQA_PACKET_HDR:
        out.id = ntohl(read_as<nfqnl_msg_packet_hdr>(data).packet_id);
        whole = true;
        break;
      case NFQA_MARK:
        out.mark = ntohl(read_as<std::uint32_t>(data));
        break;
      case NFQA_CAP_LEN:
        out.length = ntohl(read_as<std::uint32_t>(data));
        break;
      case NFQA_PAYLOAD:
        out.bytes = {data, length};
        break;
      default:
        break;
    }
    at += NLA_ALIGN(attribute.nla_len);
  }
  out.length = std::max(out.length, out.bytes.size());
  return whole;
}

}  // namespace

PacketQueue::~PacketQueue() {
  if (socket_ >= 0) ::close(socket_);
}

// Sends one setting and waits for the kernel's word; 0 or an error number.
int PacketQueue::configure(int attribute, const void* data, std::size_t size) {
  Message request(message_, NFQNL_MSG_CONFIG, NLM_F_ACK, number_);
  request.add(attribute, data, size);
  if (attribute == NFQA_CFG_FLAGS) request.add(NFQA_CFG_MASK, data, size);
  if (request.send(socket_) < 0) return errno;
  // Packets may come before it.
  for (int i = 0; i < 10'000; ++i) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, 2000) <= 0) return ETIMEDOUT;
    const ssize_t n = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (n < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) continue;
    if (read_as<nlmsghdr>(buffer_.data()).nlmsg_type != NLMSG_ERROR) continue;
    return -read_as<nlmsgerr>(buffer_.data() + NLMSG_HDRLEN).error;
  }
  return ETIMEDOUT;
}

std::string PacketQueue::open(std::uint32_t wanted) {
  buffer_.resize(kMaxBytes + 4096);
  socket_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) {
    return std::string("no netfilter socket: ") + std::strerror(errno);
  }
  const int room = 8 << 20;
  (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  const int yes = 1;
  (void)::setsockopt(socket_, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes);
  nfqnl_msg_config_cmd bind{};
  bind.command = NFQNL_CFG_CMD_BIND;
  int problem = EPERM;  // what the kernel says of a queue that somebody else has
  for (int i = 0; i < kQueues && problem == EPERM; ++i) {
    number_ = kFirstQueue + i;
    problem = configure(NFQA_CFG_CMD, &bind, sizeof bind);
  }
  if (problem == 0) {
    nfqnl_msg_config_params parameters{};
    parameters.copy_range = htonl(wanted);
    parameters.copy_mode = NFQNL_COPY_PACKET;
    problem = configure(NFQA_CFG_PARAMS, &parameters, sizeof parameters);
  }
  if (problem == 0) {
    const std::uint32_t limit = htonl(kMaxPackets);
    problem = configure(NFQA_CFG_QUEUE_MAXLEN, &limit, sizeof limit);
  }
  if (problem == 0) {
    const std::uint32_t flags = htonl(NFQA_CFG_F_FAIL_OPEN);
    problem = configure(NFQA_CFG_FLAGS, &flags, sizeof flags);
  }
  if (problem == 0) return "";
  if (problem == EPERM) return "no queue of packets (NFQUEUE): all are in use, or this is not root";
  return std::string("no queue of packets (NFQUEUE): ") + std::strerror(problem);
}

void PacketQueue::receive(std::int64_t wait_ns, const std::function<void(const QueuedPacket&)>& take) {
  pollfd ready{socket_, POLLIN, 0};
  const timespec wait{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
  if (::ppoll(&ready, 1, &wait, nullptr) <= 0) return;
  for (int i = 0; i < kAtOnce; ++i) {
    const ssize_t n = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < static_cast<ssize_t>(sizeof(nlmsghdr))) return;
    QueuedPacket packet;
    if (parse_packet_message(buffer_.data(), static_cast<std::size_t>(n), packet)) take(packet);
  }
}

// To accept would be to jump over the rules that follow in this table, those of other injections among them. To repeat
// is to go through them all once more, and our own knows the mark.
void PacketQueue::pass(std::uint32_t id, std::uint32_t old_mark, std::span<const unsigned char> instead) {
  const std::uint32_t marked = htonl(old_mark | mark());
  send_verdict(id, NF_REPEAT, &marked, instead);
}

void PacketQueue::drop(std::uint32_t id) { send_verdict(id, NF_DROP, nullptr, {}); }

void PacketQueue::send_verdict(std::uint32_t id, std::uint32_t verdict, const std::uint32_t* mark,
                               std::span<const unsigned char> instead) {
  Message message(message_, NFQNL_MSG_VERDICT, 0, number_);
  nfqnl_msg_verdict_hdr head{};
  head.verdict = htonl(verdict);
  head.id = htonl(id);
  message.add(NFQA_VERDICT_HDR, &head, sizeof head);
  if (mark != nullptr) message.add(NFQA_MARK, mark, sizeof *mark);
  if (!instead.empty()) message.add(NFQA_PAYLOAD, instead.data(), instead.size());
  (void)message.send(socket_);
}

}  // namespace ordeal::agent
