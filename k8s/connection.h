#pragma once

#include "k8s/http.h"

#include <memory>

namespace meshtrust::k8s {

/// One connection to an API server: a libcurl easy handle inside a multi handle of its own, so that
/// a wait can watch the cancellation beside the socket. Used by one thread at a time.
class Connection {
 public:
  /// `settings` and `options` outlive it.
  Connection(const ClientSettings& settings,
             std::shared_ptr<const ClientIdentity> identity,
             const HttpOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// Closes the connection.
  ~Connection();

  base::Result<Reply, SendFailure> exchange(const Request& request,
                                            const base::Clock& clock,
                                            const base::Cancellation& cancellation);

  /// Shakes hands without judging and without a credential; see `HttpClient::serving_chain`.
  base::Result<std::vector<std::string>, SendFailure> serving_chain(
      const base::Clock& clock, const base::Cancellation& cancellation);

  /// Whether the next request may use it: the last one was ordinary and ended well.
  bool is_reusable() const { return reusable_; }
  const std::shared_ptr<const ClientIdentity>& identity() const { return identity_; }

 private:
  struct Handles;
  struct Transfer;
  /// Where a request stands among those that share a confidential connection.
  enum class Turn {
    kOnly,   ///< alone: opens the connection and closes it
    kLook,   ///< opens it, for another to follow
    kAfter,  ///< uses what the look has left open, or fails
  };

  base::Result<Reply, SendFailure> exchange(const Request& request,
                                            Turn turn,
                                            const base::Clock& clock,
                                            const base::Cancellation& cancellation);
  void configure(Transfer& transfer, const Request& request, Turn turn);
  void configure_time(const Request& request);
  void configure_body(Transfer& transfer, const Request& request);
  /// The CURLcode, or one of ours: cancelled, silent.
  int drive(const Transfer& transfer, const base::Cancellation& cancellation);
  base::Failure<SendFailure> failed(int code,
                                    const Transfer& transfer,
                                    const base::Clock& clock) const;
  void read_headers(Reply& reply, base::Instant now) const;

  const ClientSettings& settings_;
  std::shared_ptr<const ClientIdentity> identity_;
  const HttpOptions& options_;
  std::unique_ptr<Handles> handles_;
  bool reusable_ = false;
};

}  // namespace meshtrust::k8s
