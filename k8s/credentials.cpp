#include "k8s/credentials.h"

#include "base/encoding.h"
#include "base/text.h"
#include "k8s/plugin_cache.h"
#include "k8s/request_headers.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Secret;

Secret bearer(std::string_view token) {
  Secret out;
  out.reserve(token.size() + 7);
  out.append("Bearer ");
  out.append(token);
  return out;
}

Secret basic(std::string_view username, const Secret& password) {
  Secret pair(username);
  pair.append(":");
  pair.append(password);
  Secret out("Basic ");
  append_base64(out, reveal_bytes(pair, "basic authentication"));
  return out;
}

class FixedCredentials final : public Credentials {
 public:
  explicit FixedCredentials(Secret authorization) : authorization_(std::move(authorization)) {}

  Result<Credential> current() override {
    return Credential{.authorization = authorization_.clone()};
  }
  bool refuse(std::uint64_t /*number*/) override { return false; }

 private:
  const Secret authorization_;
};

/// A token file, as the kubelet rewrites it under a running program.
class TokenFile final : public Credentials {
 public:
  TokenFile(const ClientSettings& settings, const base::Clock& clock, base::Files& files)
      : settings_(settings), clock_(clock), files_(files) {}

  Result<Credential> current() override {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady();
    if (!read_at_ || now - *read_at_ >= kKeep) {
      if (auto read = read_token()) {
        authorization_ = *std::move(read);
      } else if (authorization_.empty()) {
        if (settings_.token.empty()) return fail(std::move(read).error());
        return Credential{.authorization = bearer(reveal(settings_.token, "bearer token")),
                          .number = number_};
      }
      read_at_ = now;
      ++number_;
    }
    return Credential{.authorization = authorization_.clone(), .number = number_};
  }

  bool refuse(std::uint64_t number) override {
    const std::lock_guard lock(mutex_);
    if (number == number_) read_at_.reset();
    return true;
  }

 private:
  static constexpr auto kKeep = std::chrono::seconds(50);

  Result<Secret> read_token() {
    const std::string what = "token file of " + settings_.describe_user();
    auto content = files_.read_secret(settings_.token_file);
    if (!content) {
      return fail(Code::kInvalidInput, what + ": " + base::printable(content.error().message));
    }
    const std::string_view token = base::trim(reveal(*content, "bearer token"));
    const std::string path = base::printable(settings_.token_file.string());
    if (token.empty()) return fail(Code::kInvalidInput, what + ": '" + path + "' is empty");
    if (!is_header_value(token)) {
      return fail(Code::kInvalidInput, what + ": '" + path + "' holds more than one token");
    }
    return bearer(token);
  }

  const ClientSettings& settings_;
  const base::Clock& clock_;
  base::Files& files_;
  std::mutex mutex_;
  Secret authorization_;
  std::optional<base::Clock::Steady> read_at_;
  std::uint64_t number_ = 0;  ///< of times that it was read
};

/// An exec plugin, whose answers are shared with every other client of the same one.
class PluginCredentials final : public Credentials {
 public:
  PluginCredentials(const ClientSettings& settings,
                    const PluginWorld& world,
                    std::shared_ptr<PluginRun> run)
      : settings_(settings), world_(world), run_(std::move(run)) {}

  Result<Credential> current() override {
    MESHTRUST_TRY(const PluginRun::Answer answer, run_->current(settings_, world_));
    Credential out{.number = answer.number};
    if (!answer.token.empty()) {
      out.authorization = bearer(reveal(answer.token, "bearer token of a plugin"));
    }
    const std::lock_guard lock(mutex_);
    if (answer.identity && answer.number > used_) {
      out.new_identity = ClientIdentity{.certificate = answer.identity->certificate,
                                        .key = answer.identity->key.clone(),
                                        .expires = answer.identity->expires};
    }
    used_ = std::max(used_, answer.number);
    return out;
  }

  bool refuse(std::uint64_t number) override {
    run_->refuse(number);
    return true;
  }

 private:
  const ClientSettings& settings_;
  const PluginWorld world_;
  const std::shared_ptr<PluginRun> run_;
  std::mutex mutex_;
  std::uint64_t used_ = 0;  ///< the answer that the connections use
};

}  // namespace

std::unique_ptr<Credentials> make_credentials(const ClientSettings& settings,
                                              base::Files& files,
                                              const PluginWorld& world,
                                              PluginCache* plugins) {
  if (!settings.token_file.empty()) {
    return std::make_unique<TokenFile>(settings, world.clock, files);
  }
  if (!settings.token.empty()) {
    return std::make_unique<FixedCredentials>(bearer(reveal(settings.token, "bearer token")));
  }
  if (!settings.username.empty()) {
    return std::make_unique<FixedCredentials>(basic(settings.username, settings.password));
  }
  if (settings.exec && !settings.identity) {
    auto run = plugins != nullptr ? plugins->of(settings) : std::make_shared<PluginRun>();
    return std::make_unique<PluginCredentials>(settings, world, std::move(run));
  }
  return std::make_unique<FixedCredentials>(Secret());
}

}  // namespace meshtrust::k8s
