#include "harness/nodes/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace ordeal::nodes {

namespace {

// A netlink message under construction: its header, the family's header, then attributes, which may nest.
class Message {
 public:
  template <class Body>
  Message(int type, int flags, const Body& body) {
    nlmsghdr header{};
    header.nlmsg_type = static_cast<std::uint16_t>(type);
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    append(&header, sizeof header);
    append(&body, sizeof body);
  }

  void attribute(int type, const void* data, std::size_t size) {
    rtattr header{};
    header.rta_type = static_cast<unsigned short>(type);
    header.rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    append(&header, sizeof header);
    append(data, size);
  }
  // Names are zero-terminated.
  void text(int type, const std::string& value) { attribute(type, value.c_str(), value.size() + 1); }
  template <class Number>
  void number(int type, Number value) {
    attribute(type, &value, sizeof value);
  }

  // Opens an attribute that holds what is appended until end() is given the returned place.
  std::size_t begin(int type) {
    const std::size_t at = bytes_.size();
    attribute(type, nullptr, 0);
    return at;
  }
  void end(std::size_t at) {
    const auto length = static_cast<unsigned short>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at + offsetof(rtattr, rta_len), &length, sizeof length);
  }

  template <class Body>
  void body(const Body& value) {
    append(&value, sizeof value);
  }

  std::vector<char>& bytes() { return bytes_; }

 private:
  void append(const void* data, std::size_t size) {
    if (size > 0) {
      const char* from = static_cast<const char*>(data);
      bytes_.insert(bytes_.end(), from, from + size);
    }
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }

  std::vector<char> bytes_;
};

std::string reason(int error) { return std::strerror(error); }

}  // namespace

Result<Rtnetlink> Rtnetlink::open() {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return fail(ErrorCode::unsupported, "opening a netlink socket: " + reason(errno));
  const timeval limit{5, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return Rtnetlink(std::move(socket));
}

Result<void> Rtnetlink::request(std::vector<char>& message, const std::string& doing, std::vector<char>* reply) {
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof header);
  header.nlmsg_len = static_cast<std::uint32_t>(message.size());
  header.nlmsg_seq = ++sequence_;
  std::memcpy(message.data(), &header, sizeof header);
  if (::send(socket_.get(), message.data(), message.size(), 0) < 0)
    return fail(ErrorCode::io, doing + ": " + reason(errno));

  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return fail(ErrorCode::io, doing + ": no answer from the kernel: " + reason(errno));
    auto left = static_cast<unsigned>(received);
    for (auto* at = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
      if (at->nlmsg_seq != sequence_) continue;  // an answer to a request that timed out
      const char* payload = static_cast<const char*>(NLMSG_DATA(at));
      if (at->nlmsg_type == NLMSG_ERROR) {
        nlmsgerr answer{};
        std::memcpy(&answer, payload, sizeof answer);
        if (answer.error == 0) return {};
        const ErrorCode code = answer.error == -EPERM ? ErrorCode::permission : ErrorCode::unsupported;
        return fail(code, doing + ": " + reason(-answer.error));
      }
      if (reply != nullptr) reply->assign(payload, payload + NLMSG_PAYLOAD(at, 0));
    }
  }
}

Result<void> Rtnetlink::add_bridge(const std::string& name, const HardwareAddress& own) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  message.text(IFLA_IFNAME, name);
  message.attribute(IFLA_ADDRESS, own.data(), own.size());
  const auto info = message.begin(IFLA_LINKINFO);
  message.text(IFLA_INFO_KIND, "bridge");
  const auto data = message.begin(IFLA_INFO_DATA);
  message.number(IFLA_BR_FORWARD_DELAY, std::uint32_t{0});
  message.number(IFLA_BR_STP_STATE, std::uint32_t{0});
  message.number(IFLA_BR_MCAST_SNOOPING, std::uint8_t{0});
  message.end(data);
  message.end(info);
  return request(message.bytes(), "adding the bridge " + name);
}

Result<void> Rtnetlink::add_veth(const std::string& name, int bridge, const std::string& peer, int peer_namespace,
                                 const HardwareAddress& own) {
  ifinfomsg up{};
  up.ifi_flags = IFF_UP;
  up.ifi_change = IFF_UP;
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
  message.text(IFLA_IFNAME, name);
  message.number(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  const auto info = message.begin(IFLA_LINKINFO);
  message.text(IFLA_INFO_KIND, "veth");
  const auto data = message.begin(IFLA_INFO_DATA);
  const auto other = message.begin(VETH_INFO_PEER);
  message.body(ifinfomsg{});
  message.text(IFLA_IFNAME, peer);
  message.attribute(IFLA_ADDRESS, own.data(), own.size());
  message.number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer_namespace));
  message.end(other);
  message.end(data);
  message.end(info);
  return request(message.bytes(), "adding the virtual cable " + name);
}

Result<int> Rtnetlink::index(const std::string& name) {
  Message message(RTM_GETLINK, 0, ifinfomsg{});
  message.text(IFLA_IFNAME, name);
  std::vector<char> reply;
  if (auto done = request(message.bytes(), "looking up " + name, &reply); !done) return fail(done.error());
  ifinfomsg info{};
  if (reply.size() < sizeof info) return fail(ErrorCode::internal, "looking up " + name + ": short answer");
  std::memcpy(&info, reply.data(), sizeof info);
  return info.ifi_index;
}

Result<void> Rtnetlink::set_up(const std::string& name) {
  ifinfomsg up{};
  up.ifi_flags = IFF_UP;
  up.ifi_change = IFF_UP;
  Message message(RTM_NEWLINK, 0, up);
  message.text(IFLA_IFNAME, name);
  return request(message.bytes(), "setting " + name + " up");
}

Result<void> Rtnetlink::add_neighbour(int interface, const Neighbour& neighbour) {
  const std::string doing = "telling who has " + neighbour.address;
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  const bool v6 = neighbour.address.find(':') != std::string::npos;
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, neighbour.address.c_str(), binary.data()) != 1) {
    return fail(ErrorCode::usage, doing + ": not an IP address");
  }
  ndmsg body{};
  body.ndm_family = v6 ? AF_INET6 : AF_INET;
  body.ndm_ifindex = interface;
  body.ndm_state = NUD_PERMANENT;
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body);
  message.attribute(NDA_DST, binary.data(), v6 ? sizeof(in6_addr) : sizeof(in_addr));
  message.attribute(NDA_LLADDR, neighbour.hardware.data(), neighbour.hardware.size());
  return request(message.bytes(), doing);
}

Result<void> Rtnetlink::add_address(const std::string& name, const std::string& address, int prefix_length) {
  const std::string doing = "giving " + name + " the address " + address;
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  const bool v6 = address.find(':') != std::string::npos;
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), binary.data()) != 1) {
    return fail(ErrorCode::usage, doing + ": not an IP address");
  }
  const auto interface = index(name);
  if (!interface) return fail(interface.error());

  ifaddrmsg body{};
  body.ifa_family = v6 ? AF_INET6 : AF_INET;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  body.ifa_flags = v6 ? IFA_F_NODAD : 0;
  body.ifa_index = static_cast<std::uint32_t>(*interface);
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
  const std::size_t size = v6 ? sizeof(in6_addr) : sizeof(in_addr);
  message.attribute(IFA_LOCAL, binary.data(), size);
  message.attribute(IFA_ADDRESS, binary.data(), size);
  return request(message.bytes(), doing);
}

}  // namespace ordeal::nodes
