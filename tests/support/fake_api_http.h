#pragma once

#include "tests/support/fake_api_objects.h"
#include "tests/support/fake_api_tls.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::test {

inline constexpr std::string_view kReviews =
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
inline constexpr std::string_view kWhoAmI = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// One request as it arrived, in the order of arrival.
struct SeenRequest {
  std::string cluster;
  std::string method;
  std::string path;  ///< below the cluster's prefix, without the query
  std::string query;
  std::string body;
  std::map<std::string, std::string> headers;  ///< names in lower case
  int status = 0;                              ///< what was answered; 0 when cut off
  int connection = 0;                          ///< the TCP connections of the server, from 1

  /// Whether it could change anything: no GET, no self-review and no dry run.
  bool is_write() const;
};

/// The next request of a connection; nothing when the peer is gone. The first segment of its path
/// is the cluster.
std::optional<SeenRequest> read_request(TlsStream& stream);
/// The reply as HTTP/1.1 puts it.
std::string on_the_wire(const FakeReply& reply);
/// The decoded value of `key` in a query, or "".
std::string query_value(const std::string& query, std::string_view key);
std::string lower_case(std::string text);

}  // namespace meshtrust::test
