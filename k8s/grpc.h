#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "k8s/tls_stream.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::k8s {

/// One unary call: a message in, a message out.
struct GrpcCall {
  std::string authority = {};   ///< whom it is for: "istiod.istio-system.svc"
  std::string method = {};      ///< "/package.Service/Method"
  base::ByteView message = {};  ///< encoded, without gRPC's frame; outlives the call
  /// Metadata in the order given; names in lower case.
  std::vector<std::pair<std::string, std::string>> metadata = {};
  /// Sent as `authorization: Bearer TOKEN` when not null; outlives the call.
  const base::Secret* bearer_token = nullptr;
  std::size_t answer_limit_bytes = 1U << 20U;
};

/// What the server answered, whatever its status.
struct GrpcAnswer {
  int status = 0;            ///< `grpc-status`: 0 is OK, 16 UNAUTHENTICATED
  std::string words = {};    ///< `grpc-message`, decoded and printable
  base::Bytes message = {};  ///< empty unless the status is 0
};

/// Makes the call over HTTP/2 on a fresh connection of its own, which it ends: nothing else goes
/// over `stream` afterwards. The deadline is that of the stream. A status other than 0 is an
/// answer; kUnavailable is the lack of one (cut, no HTTP/2, no gRPC, too large), kRefused a token
/// that would have gone to a server whose certificate is not trusted.
base::Result<GrpcAnswer> call_grpc(TlsStream& stream, const GrpcCall& call);

}  // namespace meshtrust::k8s
