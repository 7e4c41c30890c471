#include "k8s/answer.h"

#include "base/text.h"
#include "k8s/secret_cutter.h"
#include "k8s/status.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::with_context;

base::Status expect_object(const ObjectRef& ref,
                           std::string_view kind,
                           std::string_view namespace_name,
                           std::string_view name,
                           std::string_view action) {
  if (kind == ref.kind && namespace_name == ref.namespace_name && name == ref.name) return {};
  ObjectRef found = ref;
  found.kind = base::printable(kind, 80);
  found.namespace_name = base::printable(namespace_name, 80);
  found.name = base::printable(name, 80);
  return fail(
      with_context({.code = Code::kUnavailable,
                    .message = "the server answered with another object, " + found.describe()},
                   action));
}

/// What starts like JSON came from a server that was cut short; the rest came from somebody else.
bool looks_like_json(const Reply& reply) {
  return reply.content_type.starts_with("application/json") ||
         base::trim(reply.body).starts_with('{');
}

}  // namespace

bool is_success(const Reply& reply) {
  return reply.status >= 200 && reply.status < 300;
}

Result<Json> parse_answer(const Reply& reply, std::string_view action) {
  auto json = base::parse_json(reply.body, "answer");
  if (json && json->is_object()) {
    const bool failed =
        base::string_at(*json, "kind") == "Status" && base::string_at(*json, "status") == "Failure";
    if (failed) return fail(error_from_reply(reply, action));
    return json;
  }
  if (!looks_like_json(reply)) return fail(with_context(not_kubernetes(reply), action));
  return fail(with_context({.code = Code::kUnavailable,
                            .message = "the answer is not a JSON object, or breaks off (" +
                                       std::to_string(reply.status) + ", " +
                                       std::to_string(reply.body.size()) + " bytes)"},
                           action));
}

base::Status expect_object(const ObjectRef& ref, const Json& object, std::string_view action) {
  const Json& metadata = base::at_path(object, {"metadata"});
  return expect_object(ref, base::string_at(object, "kind"), base::string_at(metadata, "namespace"),
                       base::string_at(metadata, "name"), action);
}

base::Status expect_object(const ObjectRef& ref,
                           const SecretFacts& facts,
                           std::string_view action) {
  return expect_object(ref, ref.kind, facts.namespace_name, facts.name, action);
}

base::Status expect_kind(std::string_view kind, const Json& answer, std::string_view action) {
  const std::string found = base::string_at(answer, "kind");
  if (found == kind) return {};
  return fail(with_context(
      {.code = Code::kUnavailable,
       .message = "the server answered with something else, found kind '" +
                  base::printable(found, 80) + "', wanted '" + std::string(kind) + "'"},
      action));
}

void disarm(Reply& reply) {
  blank_base64_runs(reply.secret_body);
  reply.body = reveal(reply.secret_body, "error answer without long base64");
  reply.secret_body.clear();
}

base::Status strip_secrets(Reply& reply, std::string_view action) {
  if (auto cut = cut_secret_values(reply.secret_body); !cut) {
    return fail(with_context(std::move(cut).error(), action));
  }
  reply.body = reveal(reply.secret_body, "answer without the values of Secrets");
  reply.secret_body.clear();
  return {};
}

bool holds_all_of(const Json& live, const Json& wanted) {
  if (wanted.is_array()) {
    return live.is_array() && live.size() == wanted.size() &&
           std::equal(live.begin(), live.end(), wanted.begin(), &holds_all_of);
  }
  if (!wanted.is_object()) return live == wanted;
  if (!live.is_object()) return false;
  return std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& item) {
    const auto found = live.find(item.key());
    return found != live.end() && holds_all_of(*found, item.value());
  });
}

}  // namespace meshtrust::k8s
