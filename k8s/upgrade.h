#pragma once

#include "base/result.h"
#include "k8s/http.h"
#include "k8s/raw_connection.h"

namespace meshtrust::k8s {

/// Connects and asks for the WebSocket of `request` (RFC 6455 section 4). An agreement that is in
/// order gives a reply with status 101 and the connection in `upgraded`; any other status is an
/// answer like that to any request, with at most 64 KiB of its body.
base::Result<Reply, SendFailure> open_web_socket(ConnectionParts parts, const Request& request);

}  // namespace meshtrust::k8s
