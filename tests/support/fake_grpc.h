#pragma once

#include "tests/support/fake_api_tls.h"

#include <map>
#include <string>
#include <string_view>

namespace meshtrust::test {

/// One call as it arrived.
struct SeenCall {
  std::map<std::string, std::string> headers;
  std::string message;  ///< with gRPC's frame
};

/// What is answered. A field that is empty is left out.
struct GrpcReply {
  std::string http_status = "200";
  std::string content_type = "application/grpc";
  std::string body = {};  ///< with gRPC's frame
  std::map<std::string, std::string> trailers = {{"grpc-status", "0"}};
  bool reset = false;  ///< RST_STREAM instead of an answer
};

/// A message in gRPC's frame.
std::string grpc_frame(std::string_view message, char compressed = 0);

/// Serves one call on a connection that speaks HTTP/2 and waits for the client to leave.
SeenCall serve_grpc(TlsStream& stream, const GrpcReply& reply);

}  // namespace meshtrust::test
