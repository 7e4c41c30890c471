#pragma once

#include "base/json.h"
#include "base/result.h"
#include "k8s/http.h"
#include "k8s/object_ref.h"
#include "k8s/secret_object.h"

#include <string_view>

namespace meshtrust::k8s {

/// What a confidential connection may be asked for and tell nobody: metadata without values.
inline constexpr std::string_view kMetadataOnly =
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";

bool is_success(const Reply& reply);

/// The JSON object in a success answer. kUnavailable for a proxy's page, for what breaks off or
/// nests too deep, and for a `Status` that reports a failure in spite of the HTTP status.
base::Result<base::Json> parse_answer(const Reply& reply, std::string_view action);

/// kUnavailable when an answer is about something else than what was asked for, such as from a
/// cache that mixes things up.
base::Status expect_object(const ObjectRef& ref, const base::Json& object, std::string_view action);
base::Status expect_object(const ObjectRef& ref, const SecretFacts& facts, std::string_view action);
base::Status expect_kind(std::string_view kind, const base::Json& answer, std::string_view action);

/// An error answer to a confidential request may quote its body: what looks like a key is blanked
/// before the words go anywhere.
void disarm(Reply& reply);

/// Makes a confidential success answer about Secrets an ordinary one: without their values.
base::Status strip_secrets(Reply& reply, std::string_view action);

/// Whether `live` holds everything in `wanted`: objects key by key, lists element by element. What
/// the server added is no difference.
bool holds_all_of(const base::Json& live, const base::Json& wanted);

}  // namespace meshtrust::k8s
