#include "harness/control/ssh_auth.h"

#include <libssh2.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>

#include "harness/control/key_file.h"
#include "harness/control/server_hello.h"

namespace ordeal {
namespace {

// The agent, if one is running, with its keys listed.
class Agent {
 public:
  Agent(LIBSSH2_SESSION* session, std::string path) {
    if (const char* variable = std::getenv("SSH_AUTH_SOCK"); path.empty() && variable != nullptr) path = variable;
    if (path.empty()) return;
    agent_.reset(libssh2_agent_init(session));
    if (agent_ == nullptr) return;
    libssh2_agent_set_identity_path(agent_.get(), path.c_str());
    if (libssh2_agent_connect(agent_.get()) != 0 || libssh2_agent_list_identities(agent_.get()) != 0) {
      problem_ = "the agent at " + path + " does not answer";
      agent_.reset();
      return;
    }
    libssh2_agent_publickey* previous = nullptr;
    libssh2_agent_publickey* key = nullptr;
    while (libssh2_agent_get_identity(agent_.get(), &key, previous) == 0) {
      keys_.push_back(key);
      previous = key;
    }
  }

  [[nodiscard]] LIBSSH2_AGENT* raw() const { return agent_.get(); }
  [[nodiscard]] const std::vector<libssh2_agent_publickey*>& keys() const { return keys_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] static std::string blob_of(const libssh2_agent_publickey* key) {
    return {reinterpret_cast<const char*>(key->blob), key->blob_len};
  }
  [[nodiscard]] libssh2_agent_publickey* find(const std::string& blob) const {
    for (auto* key : keys_) {
      if (!blob.empty() && blob_of(key) == blob) return key;
    }
    return nullptr;
  }

 private:
  struct Close {
    void operator()(LIBSSH2_AGENT* agent) const {
      (void)libssh2_agent_disconnect(agent);
      libssh2_agent_free(agent);
    }
  };
  std::unique_ptr<LIBSSH2_AGENT, Close> agent_;
  std::vector<libssh2_agent_publickey*> keys_;
  std::string problem_;
};

class Authenticator {
 public:
  Authenticator(SshSession& session, const SshCredentials& credentials, Deadline deadline)
      : session_(session), credentials_(credentials), deadline_(deadline) {}

  Result<void> run() {
    if (auto asked = ask_methods(); !asked) return asked;
    if (done_) return {};
    // The agent is asked only if keys are of use: a hanging agent should not stop a login by password.
    if (offers("publickey")) {
      if (credentials_.use_agent) agent_.emplace(session_.raw(), credentials_.agent_socket);
      if (auto tried = try_keys(); !tried || done_) return tried;
    } else if (!methods_.empty()) {
      note("keys: this host does not accept any");
    }
    if (!credentials_.password.empty()) {
      if (auto tried = try_password(); !tried || done_) return tried;
    }
    return fail(refusal());
  }

 private:
  bool offers(std::string_view method) const {
    return ("," + methods_ + ",").find("," + std::string(method) + ",") != std::string::npos;
  }
  void note(std::string text) { notes_ += (notes_.empty() ? "" : "; ") + std::move(text); }

  // libssh2 lists the methods by trying the method "none".
  Result<void> ask_methods() {
    const char* list = nullptr;
    auto rc = session_.complete(
        [&]() -> long {
          list = libssh2_userauth_list(session_.raw(), credentials_.user.data(), length(credentials_.user));
          if (list != nullptr || libssh2_userauth_authenticated(session_.raw()) != 0) return 0;
          return session_.last_errno();
        },
        deadline_);
    if (!rc) return fail(rc.error().during("logging in as " + credentials_.user));
    if (*rc != 0) return fail(session_.error_of(*rc, "logging in as " + credentials_.user, ErrorCode::auth));
    if (list == nullptr) {
      done_ = true;
    } else {
      methods_ = list;
    }
    return {};
  }

  // Runs one attempt; a refusal is noted, a lost connection is an error.
  Result<void> attempt(const std::string& what, const std::function<long()>& call) {
    auto rc = session_.complete(call, deadline_);
    if (!rc) {
      return fail(rc.error().code == ErrorCode::disconnected ? closed(what, rc.error())
                                                             : rc.error().during("logging in with " + what));
    }
    if (*rc == 0) {
      done_ = true;
      return {};
    }
    const Error error = session_.error_of(*rc, what, ErrorCode::auth);
    if (error.code == ErrorCode::disconnected) return fail(closed(what, error));
    const bool refused = *rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || *rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
    note(what + (refused ? " refused" : " failed" + error.message.substr(error.message.rfind("(libssh2") - 1)));
    return {};
  }
  // sshd closes the connection after too many attempts, which is a refusal; otherwise the connection just broke.
  Error closed(const std::string& what, const Error& error) {
    if (error.message.find("Too many authentication failures") == std::string::npos) return error;
    note(what +
         " refused; then the host closed the connection because of too many attempts (MaxAuthTries in sshd_config; "
         "name the right key, or set IdentitiesOnly)");
    return refusal();
  }

  Result<void> try_keys() {
    std::vector<std::string> used;
    for (const auto& path : credentials_.identity_files) {
      auto key = inspect_key_file(path);
      if (!key) {
        if (key.error().code != ErrorCode::not_found || credentials_.identities_explicit) note(key.error().message);
        continue;
      }
      if (key->rsa) {
        note("key file " + path + " is an RSA key, which libssh2 " + libssh2_version(0) +
             " cannot use with OpenSSH 8.8 or newer: make an ed25519 key with `ssh-keygen -t ed25519`");
        continue;
      }
      if (auto* held = agent_ ? agent_->find(key->public_blob) : nullptr) {
        used.push_back(key->public_blob);
        if (auto tried = try_agent_key(held); !tried || done_) return tried;
        continue;
      }
      if (key->encrypted) {
        note("key file " + path + " is protected by a passphrase: add it to the agent with `ssh-add " + path + "`");
        continue;
      }
      auto tried = attempt("key file " + path, [&]() -> long {
        return libssh2_userauth_publickey_fromfile_ex(session_.raw(), credentials_.user.data(),
                                                      length(credentials_.user), nullptr, path.c_str(), nullptr);
      });
      if (!tried || done_) return tried;
    }
    return credentials_.identities_only ? Result<void>{} : try_other_agent_keys(used);
  }

  Result<void> try_other_agent_keys(const std::vector<std::string>& used) {
    if (!agent_) return {};
    if (!agent_->problem().empty()) note(agent_->problem());
    for (auto* key : agent_->keys()) {
      const std::string blob = Agent::blob_of(key);
      bool known = false;
      for (const auto& other : used) known = known || other == blob;
      if (known) continue;
      if (key_type_of_blob(blob) == "ssh-rsa") {
        note(std::string("agent key ") + key->comment + " is RSA and of no use to libssh2 " + libssh2_version(0));
        continue;
      }
      if (auto tried = try_agent_key(key); !tried || done_) return tried;
    }
    return {};
  }

  Result<void> try_agent_key(libssh2_agent_publickey* key) {
    session_.set_agent_deadline(deadline_);
    return attempt(std::string("agent key ") + key->comment,
                   [&]() -> long { return libssh2_agent_userauth(agent_->raw(), credentials_.user.c_str(), key); });
  }

  Result<void> try_password() {
    if (offers("password")) {
      auto tried = attempt("password", [&]() -> long {
        return libssh2_userauth_password_ex(session_.raw(), credentials_.user.data(), length(credentials_.user),
                                            credentials_.password.data(), length(credentials_.password), nullptr);
      });
      if (!tried || done_) return tried;
    }
    if (offers("keyboard-interactive")) {
      // The callback learns the password through this thread's variable: libssh2 hands it only the session's abstract
      // pointer, which belongs to SshSession.
      answer() = &credentials_.password;
      auto tried = attempt("keyboard-interactive", [&]() -> long {
        return libssh2_userauth_keyboard_interactive_ex(session_.raw(), credentials_.user.data(),
                                                        length(credentials_.user), &give_password);
      });
      answer() = nullptr;
      return tried;
    }
    if (!offers("password")) note("password: this host accepts none");
    return {};
  }

  static const std::string*& answer() {
    thread_local const std::string* password = nullptr;
    return password;
  }
  static void give_password(const char*, int, const char*, int, int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT*,
                            LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, void**) {
    for (int i = 0; i < count; ++i) {
      responses[i].text = ::strdup(answer()->c_str());
      responses[i].length = length(*answer());
    }
  }

  Error refusal() const {
    std::string message = session_.who() + ": " + credentials_.user + " was not let in";
    message += notes_.empty() ? ": no key, no agent and no password to try" : ". Tried: " + notes_;
    if (!methods_.empty()) message += " (the host accepts: " + methods_ + ")";
    return {ErrorCode::auth, std::move(message)};
  }

  static unsigned length(const std::string& text) { return static_cast<unsigned>(text.size()); }

  SshSession& session_;
  const SshCredentials& credentials_;
  Deadline deadline_;
  std::optional<Agent> agent_;
  std::string methods_;
  std::string notes_;
  bool done_ = false;
};

}  // namespace

Result<void> authenticate(SshSession& session, const SshCredentials& credentials, Deadline deadline) {
  session.set_agent_deadline(deadline);
  return Authenticator(session, credentials, deadline).run();
}

}  // namespace ordeal
