#include "targets/etcd/gateway_json.h"

#include <charconv>

#include "base/base64.h"
#include "base/json_scanner.h"

namespace ordeal {
namespace {

// "name":"bytes in base64". Neither has anything to escape.
void add_bytes(std::string& out, std::string_view name, std::string_view bytes) {
  out.append("\"").append(name).append("\":\"").append(base64_encode(bytes)).append("\"");
}
void add_number(std::string& out, std::string_view name, std::int64_t number) {
  out.append("\"").append(name).append("\":\"").append(std::to_string(number)).append("\"");
}

void add(std::string& out, const EtcdRange& range) {
  out += '{';
  add_bytes(out, "key", range.key);
  if (!range.range_end.empty()) add_bytes(out += ',', "range_end", range.range_end);
  if (range.serializable) out += R"(,"serializable":true)";
  if (range.count_only) out += R"(,"count_only":true)";
  out += '}';
}

void add(std::string& out, const EtcdPut& put) {
  out += '{';
  add_bytes(out, "key", put.key);
  add_bytes(out += ',', "value", put.value);
  if (put.lease != 0) add_number(out += ',', "lease", put.lease);
  out += '}';
}

void add(std::string& out, const EtcdDelete& deletion) {
  out += '{';
  add_bytes(out, "key", deletion.key);
  out += '}';
}

void add(std::string& out, const EtcdRequestOp& op) {
  static constexpr const char* kNames[] = {"{\"request_range\":", "{\"request_put\":", "{\"request_delete_range\":"};
  out += kNames[op.index()];
  std::visit([&](const auto& one) { add(out, one); }, op);
  out += '}';
}

void add(std::string& out, const EtcdCompare& compare) {
  out += R"({"result":"EQUAL",)";
  add_bytes(out, "key", compare.key);
  switch (compare.target) {
    case EtcdCompare::Target::value:
      add_bytes(out += R"(,"target":"VALUE",)", "value", compare.value);
      break;
    case EtcdCompare::Target::mod_revision:
      add_number(out += R"(,"target":"MOD",)", "mod_revision", compare.revision);
      break;
    case EtcdCompare::Target::create_revision:
      add_number(out += R"(,"target":"CREATE",)", "create_revision", compare.revision);
      break;
  }
  out += '}';
}

template <class One>
void add_list(std::string& out, std::string_view name, const std::vector<One>& list) {
  out.append("\"").append(name).append("\":[");
  for (std::size_t i = 0; i < list.size(); ++i) add(i == 0 ? out : out += ',', list[i]);
  out += ']';
}

class ReplyReader {
 public:
  explicit ReplyReader(std::string_view text) : in_(text) {}

  Result<GatewayReply> run() {
    GatewayReply out;
    std::string_view key;
    for (bool open = in_.open('{'); open && in_.next_key(key);) {
      if (key == "error") {
        out.error = true;
        return out;
      }
      if (key == "header") {
        header(out.revision);
      } else if (key == "kvs") {
        key_values(out.kvs);
      } else if (key == "succeeded") {
        succeeded(out.succeeded);
      } else if (key == "responses") {
        responses(out.responses);
      } else {
        in_.skip();
      }
    }
    if (in_.ok()) (void)in_.end();
    if (!in_.ok()) return fail(ErrorCode::input, in_.problem());
    if (!bytes_) return fail(ErrorCode::input, "a key or value is not base64");
    return out;
  }

 private:
  // 64 bits come as strings, smaller ones as numbers.
  std::int64_t number() {
    std::int64_t n = 0;
    if (in_.peek() != '"') {
      in_.integer(n);
      return n;
    }
    std::string_view text;
    if (in_.string(text)) std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
  }
  void bytes(std::string& out) {
    std::string_view text;
    if (!in_.string(text)) return;
    auto decoded = base64_decode(text);
    bytes_ = bytes_ && decoded;
    if (decoded) out = *std::move(decoded);
  }

  void header(std::int64_t& revision) {
    std::string_view key;
    for (bool open = in_.open('{'); open && in_.next_key(key);) {
      if (key == "revision") {
        revision = number();
      } else {
        in_.skip();
      }
    }
  }

  void succeeded(bool& out) {
    Value read;
    if (in_.value(read)) out = read.is_boolean() && read.boolean();
  }

  void key_values(std::vector<EtcdKeyValue>& out) {
    for (bool open = in_.open('['); open && in_.next_item();) key_value(out.emplace_back());
  }
  void key_value(EtcdKeyValue& out) {
    std::string_view key;
    for (bool open = in_.open('{'); open && in_.next_key(key);) {
      if (key == "key") {
        bytes(out.key);
      } else if (key == "value") {
        bytes(out.value);
      } else if (key == "create_revision") {
        out.create_revision = number();
      } else if (key == "mod_revision") {
        out.mod_revision = number();
      } else if (key == "version") {
        out.version = number();
      } else if (key == "lease") {
        out.lease = number();
      } else {
        in_.skip();
      }
    }
  }

  void responses(std::vector<std::optional<std::vector<EtcdKeyValue>>>& out) {
    for (bool open = in_.open('['); open && in_.next_item();) response(out.emplace_back());
  }
  void response(std::optional<std::vector<EtcdKeyValue>>& out) {
    std::string_view key;
    for (bool open = in_.open('{'); open && in_.next_key(key);) {
      if (key == "response_range") {
        range(out.emplace());
      } else {
        in_.skip();
      }
    }
  }
  void range(std::vector<EtcdKeyValue>& out) {
    std::string_view key;
    for (bool open = in_.open('{'); open && in_.next_key(key);) {
      if (key == "kvs") {
        key_values(out);
      } else {
        in_.skip();
      }
    }
  }

  JsonScanner in_;
  bool bytes_ = true;  // all keys and values were base64
};

}  // namespace

std::string gateway_request(const EtcdRange& range) {
  std::string out;
  add(out, range);
  return out;
}

std::string gateway_request(const EtcdPut& put) {
  std::string out;
  add(out, put);
  return out;
}

std::string gateway_request(const EtcdTxn& txn) {
  std::string out = "{";
  add_list(out, "compare", txn.compare);
  add_list(out += ',', "success", txn.success);
  add_list(out += ',', "failure", txn.failure);
  out += '}';
  return out;
}

Result<GatewayReply> gateway_reply(std::string_view text) { return ReplyReader(text).run(); }

}  // namespace ordeal
