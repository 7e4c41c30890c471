#include "k8s/http.h"

#include "base/check.h"
#include "k8s/connection.h"
#include "k8s/raw_connection.h"
#include "k8s/upgrade.h"

#include <algorithm>

namespace meshtrust::k8s {

std::string_view name_of(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
  }
  MESHTRUST_CHECK(false);
}

std::string user_agent(std::string_view command) {
#if defined(__x86_64__)
  constexpr std::string_view kMachine = "amd64";
#elif defined(__aarch64__)
  constexpr std::string_view kMachine = "arm64";
#else
  constexpr std::string_view kMachine = "unknown";
#endif
  std::string out = "meshtrust/" MESHTRUST_VERSION " (linux/" + std::string(kMachine) + ")";
  if (!command.empty()) out += " " + std::string(command);
  return out;
}

std::string_view Reply::text(std::string_view purpose) const {
  return secret_body.empty() ? std::string_view(body) : reveal(secret_body, purpose);
}

HttpClient::HttpClient(const ClientSettings& settings,
                       const base::Clock& clock,
                       const base::Cancellation& cancellation,
                       HttpOptions options)
    : settings_(settings),
      clock_(clock),
      cancellation_(cancellation),
      options_(std::move(options)) {
  MESHTRUST_CHECK(options_.connections > 0);
  if (settings.identity) {
    use_identity({.certificate = settings.identity->certificate,
                  .key = settings.identity->key.clone(),
                  .expires = settings.identity->expires});
  }
}

HttpClient::~HttpClient() = default;

base::Result<Reply, SendFailure> HttpClient::send(const Request& request) {
  if (request.web_socket) return open_web_socket(parts(), request);
  std::unique_ptr<Connection> connection = acquire(request);
  auto result = connection->exchange(request, clock_, cancellation_);
  release(std::move(connection), request);
  return result;
}

ConnectionParts HttpClient::parts() {
  const std::lock_guard lock(mutex_);
  return {.settings = settings_,
          .identity = identity_,
          .options = options_,
          .clock = clock_,
          .cancellation = cancellation_};
}

/// Waits for a slot. The wait needs no bound of its own: whoever holds a slot gives it back when
/// its request times out, and at once when the run is cancelled.
std::unique_ptr<Connection> HttpClient::acquire(const Request& request) {
  std::unique_lock lock(mutex_);
  if (request.sink) {
    slot_free_.wait(lock, [&] { return streaming_ < options_.streams; });
    ++streaming_;
    const auto identity = identity_;
    lock.unlock();
    return std::make_unique<Connection>(settings_, identity, options_);
  }
  slot_free_.wait(lock, [&] { return busy_ < options_.connections; });
  ++busy_;
  std::unique_ptr<Connection> taken;
  if (!idle_.empty() && request.content == Content::kOrdinary) {
    taken = std::move(idle_.back());
    idle_.pop_back();
  } else if (!idle_.empty() && busy_ + idle_.size() > options_.connections) {
    // A connection of its own is made for what is confidential; an idle one makes room for it.
    idle_.erase(idle_.begin());
  }
  const auto identity = identity_;
  lock.unlock();
  if (!taken) taken = std::make_unique<Connection>(settings_, identity, options_);
  return taken;
}

void HttpClient::release(std::unique_ptr<Connection> connection, const Request& request) {
  // What is not kept is closed before its slot is given away.
  if (request.sink || !connection->is_reusable()) connection.reset();
  {
    const std::lock_guard lock(mutex_);
    if (connection && connection->identity() == identity_) idle_.push_back(std::move(connection));
    --(request.sink ? streaming_ : busy_);
  }
  slot_free_.notify_all();  // those who wait may wait for either kind
}

void HttpClient::use_identity(ClientIdentity identity) {
  auto shared = std::make_shared<const ClientIdentity>(std::move(identity));
  std::vector<std::unique_ptr<Connection>> closing;
  const std::lock_guard lock(mutex_);
  identity_ = std::move(shared);
  closing.swap(idle_);
}

base::Result<std::vector<std::string>, SendFailure> HttpClient::serving_chain() {
  return Connection(settings_, nullptr, options_).serving_chain(clock_, cancellation_);
}

std::string HttpClient::client_certificate() {
  const std::lock_guard lock(mutex_);
  return identity_ ? identity_->certificate : std::string();
}

void HttpClient::close_idle() {
  std::vector<std::unique_ptr<Connection>> closing;
  const std::lock_guard lock(mutex_);
  closing.swap(idle_);
}

}  // namespace meshtrust::k8s
