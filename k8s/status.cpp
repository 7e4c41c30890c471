#include "k8s/status.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr std::size_t kMostOfAPage = 200;

bool has_cause(const ServerStatus& status, std::string_view reason) {
  return std::any_of(status.causes.begin(), status.causes.end(),
                     [&](const auto& cause) { return cause.reason == reason; });
}

/// `conflict with "kubectl-create" using v1` names the manager between the quotes.
std::string manager_of(const ServerStatus::Cause& cause) {
  const std::size_t open = cause.message.find('"');
  if (open == std::string::npos) return cause.message;
  const std::size_t close = cause.message.find('"', open + 1);
  return cause.message.substr(open + 1, close - open - 1);
}

std::string owned_fields(const ServerStatus& status) {
  std::vector<std::string> parts;
  for (const auto& cause : status.causes) {
    if (cause.reason != "FieldManagerConflict") continue;
    parts.push_back("'" + base::printable(cause.field) + "' belongs to '" +
                    base::printable(manager_of(cause)) + "'");
  }
  return base::join(parts, ", ");
}

std::string with_causes(const ServerStatus& status) {
  std::string text = base::printable(status.message);
  for (const auto& cause : status.causes) {
    if (status.message.find(cause.message) != std::string::npos) continue;
    text += "; " + base::printable(cause.field) + ": " + base::printable(cause.message);
  }
  return text;
}

std::string code_and_reason(const ServerStatus& status) {
  return std::to_string(status.code) + (status.reason.empty() ? "" : " " + status.reason);
}

Error conflict(const ServerStatus& status) {
  if (!has_cause(status, "FieldManagerConflict")) {
    return {.code = Code::kConflict, .message = base::printable(status.message)};
  }
  return {.code = Code::kConflict,
          .message = "someone else owns what would change: " + owned_fields(status),
          .hints = {"nothing is taken over by force: find out what writes these fields"}};
}

Error forbidden(const ServerStatus& status) {
  if (has_cause(status, "NamespaceTerminating")) {
    return {.code = Code::kConflict,
            .message = base::printable(status.message),
            .hints = {"the namespace is being deleted: try again when it is gone"}};
  }
  return {.code = Code::kPermission,
          .message = "not permitted: " + base::printable(status.message)};
}

Error not_found(const ServerStatus& status, const Reply& reply) {
  if (status.understood) {
    return {.code = Code::kNotFound, .message = base::printable(status.message)};
  }
  return {.code = Code::kUnavailable,
          .message = "the server does not serve this kind of object, it answered 404 '" +
                     base::printable(base::trim(reply.text("answer of a server")), kMostOfAPage) +
                     "'",
          .hints = {"is the CRD installed, and is this the address of a Kubernetes API server?"}};
}

/// A proxy, a load balancer, a login page: anything but an API server.
Error not_kubernetes(const Reply& reply) {
  const std::string type = reply.content_type.empty() ? "no content type" : reply.content_type;
  const std::string_view body = base::trim(reply.text("answer of a server"));
  return {.code = Code::kUnavailable,
          .message =
              "the answer is not that of a Kubernetes API server: " + std::to_string(reply.status) +
              ", " + base::printable(type, 80) + ", '" + base::printable(body, kMostOfAPage) + "'",
          .hints = {"a proxy or a load balancer may stand in between"}};
}

Error from_status(const ServerStatus& status, const Reply& reply) {
  const bool by_webhook = status.message.find("admission webhook") != std::string::npos &&
                          status.message.find("denied the request") != std::string::npos;
  if (by_webhook) {
    return {.code = Code::kRefused, .message = base::printable(status.message)};
  }
  switch (status.code) {
    case 401:
      return {.code = Code::kPermission,
              .message = "the server does not accept the credentials (401 Unauthorized)"};
    case 403:
      return status.understood ? forbidden(status) : not_kubernetes(reply);
    case 404:
      return not_found(status, reply);
    case 409:
      return status.understood ? conflict(status) : not_kubernetes(reply);
    case 410:
      return {.code = Code::kConflict, .message = base::printable(status.message)};
    case 429:
      return {.code = Code::kUnavailable,
              .message = "the server has too much to do (429 TooManyRequests)"};
    default:
      break;
  }
  if (!status.understood) return not_kubernetes(reply);
  // An applied object that does not fit the schema gives a 500 without a reason.
  const bool our_mistake = status.message.starts_with("failed to create typed patch object");
  return {.code = status.code >= 500 && !our_mistake ? Code::kUnavailable : Code::kInternal,
          .message = with_causes(status) + " (" + code_and_reason(status) + ")"};
}

}  // namespace

ServerStatus read_status(const Reply& reply) {
  ServerStatus status;
  status.code = reply.status;
  auto parsed = base::parse_json(reply.text("status of an API server"), "answer");
  if (!parsed || !parsed->is_object() || base::string_at(*parsed, "kind") != "Status") {
    return status;
  }
  status.understood = true;
  status.reason = base::string_at(*parsed, "reason");
  status.message = base::string_at(*parsed, "message");
  const Json& details = base::at_path(*parsed, {"details"});
  status.detail_kind = base::string_at(details, "kind");
  status.detail_name = base::string_at(details, "name");
  for (const Json& cause : base::at_path(details, {"causes"})) {
    status.causes.push_back({.reason = base::string_at(cause, "reason"),
                             .field = base::string_at(cause, "field"),
                             .message = base::string_at(cause, "message")});
  }
  return status;
}

Missing what_is_missing(const ServerStatus& status, const Reply& reply, const ObjectRef& ref) {
  if (!status.understood) {
    const bool page = reply.text("answer of a server").starts_with("404 page not found");
    return page ? Missing::kResource : Missing::kOther;
  }
  if (status.reason != "NotFound") return Missing::kOther;
  if (status.detail_kind == ref.resource && status.detail_name == ref.name) {
    return Missing::kObject;
  }
  if (status.detail_kind == "namespaces" && status.detail_name == ref.namespace_name) {
    return Missing::kNamespace;
  }
  // A custom resource of a kind that is just being removed answers with a Status without details.
  return status.detail_name.empty() ? Missing::kResource : Missing::kOther;
}

Error error_from_reply(const Reply& reply, std::string_view action) {
  Error error = from_status(read_status(reply), reply);
  if (!reply.audit_id.empty() && (error.code == Code::kInternal || reply.status >= 500)) {
    error.hints.push_back("the server's audit log has this request as '" + reply.audit_id + "'");
  }
  return with_context(std::move(error), action);
}

}  // namespace meshtrust::k8s
