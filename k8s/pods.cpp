// What an API client does inside pods: through the API server, as kubectl would.

#include "base/encoding.h"
#include "base/text.h"
#include "k8s/api_client.h"
#include "k8s/raw_connection.h"
#include "k8s/status.h"
#include "k8s/url.h"

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Result;
using base::with_context;
using std::chrono::milliseconds;

std::string path_of(std::string_view namespace_name, std::string_view encoded_name) {
  return "/api/v1/namespaces/" + percent_encode(namespace_name) + "/pods/" +
         std::string(encoded_name);
}

/// An answer of something that is no API server and did not agree to a WebSocket either.
Error no_web_socket(const Reply& reply) {
  const std::string type = reply.content_type.empty() ? "no content type" : reply.content_type;
  return {.code = Code::kUnavailable,
          .message = "the upgrade to a WebSocket was refused: " + std::to_string(reply.status) +
                     ", " + base::printable(type, 80) + ", '" +
                     base::printable(base::trim(reply.body), 120) + "'",
          .hints = {"a proxy or a load balancer that knows no WebSocket may stand in between"}};
}

/// "reading port 15014 of pod ...: HTTP 404, text/plain, 'not found'": the pod's own words.
Error refused_by_pod(const Reply& reply) {
  return {.code = Code::kUnavailable,
          .message = "the pod answered " + std::to_string(reply.status) + ", '" +
                     base::printable(base::trim(reply.body), 120) + "'"};
}

}  // namespace

Result<std::string> ApiClient::get_from_pod(const PodPort& pod,
                                            std::string_view path,
                                            std::size_t limit_bytes) {
  const std::string action = "asking " + pod.describe() + " for '" + std::string(path) + "'";
  const std::string name = percent_encode(pod.pod) + ":" + std::to_string(pod.port);
  Request request{.target = path_of(pod.namespace_name, name) + "/proxy" + std::string(path),
                  .accept = "*/*",
                  .answer_limit_bytes = limit_bytes};
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, action));
  if (reply.status == 200) return std::move(reply.body);
  if (reply.status == 401 || read_status(reply).understood) return fail(refusal(reply, action));
  return fail(with_context(refused_by_pod(reply), action));
}

Result<std::string> ApiClient::read_log(const PodLog& log) {
  constexpr std::size_t kMostBytes = 64U << 10U;
  const std::string action = "reading the log of '" + log.container + "' in pod '" +
                             log.namespace_name + "/" + log.pod + "'";
  Request request{.target = path_of(log.namespace_name, percent_encode(log.pod)) +
                            "/log?container=" + percent_encode(log.container) +
                            "&tailLines=" + std::to_string(log.lines) + "&limitBytes=" +
                            std::to_string(kMostBytes) + (log.of_last_run ? "&previous=true" : ""),
                  .accept = "*/*",
                  .answer_limit_bytes = 2 * kMostBytes};
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, action));
  if (reply.status == 200) return std::move(reply.body);
  return fail(refusal(reply, action));
}

Result<ApiClient::Upgraded> ApiClient::upgrade(const PodUpgrade& wanted) {
  Request request{.target = wanted.target,
                  .accept = "*/*",  // kubelets know no type for what has none; a Status is JSON
                  .at_most = wanted.at_most,
                  .web_socket = {{.subprotocol = std::string(wanted.subprotocol),
                                  .nonce = base::to_base64(effects_.random.bytes(16))}}};
  MESHTRUST_TRY(Reply reply, perform(std::move(request), wanted.repeatable, wanted.action));
  if (reply.upgraded) return std::move(reply.upgraded);
  if (reply.status == 401) return fail(refusal(reply, wanted.action));
  if (!read_status(reply).understood) {
    return fail(with_context(no_web_socket(reply), wanted.action));
  }
  Error error = refusal(reply, wanted.action);
  if (error.code == Code::kPermission) error.hints.push_back(wanted.takes);
  return fail(std::move(error));
}

Result<std::unique_ptr<ByteStream>> ApiClient::open_tunnel(const PodPort& pod,
                                                           milliseconds at_most) {
  const auto deadline = effects_.clock.steady() + at_most;
  MESHTRUST_TRY(
      Upgraded connection,
      upgrade({.target = path_of(pod.namespace_name, percent_encode(pod.pod)) +
                         "/portforward?ports=" + std::to_string(pod.port),
               .subprotocol = kChannelProtocol,
               .repeatable = Repeatable::kYes,
               .action = "opening a tunnel to " + pod.describe(),
               .takes = "a tunnel takes the rights 'get' and 'create' on pods/portforward in "
                        "namespace '" +
                        pod.namespace_name + "'",
               .at_most = at_most}));
  auto tunnel = forward_port(std::move(connection), pod, effects_.random);
  tunnel->set_deadline(deadline);
  return tunnel;
}

Result<CommandOutcome> ApiClient::run_in_pod(const PodCommand& command,
                                             milliseconds at_most,
                                             std::size_t limit_bytes) {
  const auto deadline = effects_.clock.steady() + at_most;
  std::string target =
      path_of(command.namespace_name, percent_encode(command.pod)) +
      "/exec?stdout=true&stderr=true&container=" + percent_encode(command.container);
  for (const std::string& word : command.words) {
    target += "&command=" + percent_encode(word);
  }
  MESHTRUST_TRY(Upgraded connection,
                upgrade({.target = std::move(target),
                         .subprotocol = kExecProtocol,
                         .repeatable = Repeatable::kNo,
                         .action = "running " + command.describe(),
                         .takes = "it takes the rights 'get' and 'create' on pods/exec in "
                                  "namespace '" +
                                  command.namespace_name + "'",
                         .at_most = at_most}));
  return read_outcome(std::move(connection), command, effects_.clock, effects_.random, deadline,
                      limit_bytes);
}

}  // namespace meshtrust::k8s
