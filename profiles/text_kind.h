#pragma once

#include "base/error.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::profiles {

/// Why a text is not what its key wants, as the message and hint of an error.
struct Refusal {
  std::string message;
  std::string hint;
};

/// A kind of text that keys of the mesh file want. The loader asks `refuse`, the JSON Schema states
/// `pattern`; tests/profiles/text_kind_test.cpp holds the two together.
struct TextKind {
  std::string pattern;  ///< ECMA-262, anchored; what every text that fits looks like
  std::size_t longest_characters = 0;
  std::optional<Refusal> (*refuse)(std::string_view text) = nullptr;  ///< length is checked before
};

/// The hold of both: whether `text` is of this kind, and if not, why.
std::optional<Refusal> refuse(const TextKind& kind, std::string_view text);

/// DNS-1123 label, at most 63 characters.
const TextKind& dns_label_kind();
/// A DNS-1123 label, short enough that "<name> Root CA" is a common name (X.520: 64 characters).
const TextKind& mesh_name_kind();
/// A DNS-1123 label that is a cluster's name.
const TextKind& cluster_name_kind();
/// The value of a Kubernetes label, at most 63 characters, not empty.
const TextKind& label_value_kind();
/// A trust domain: a lower-case DNS name (RFC 1035) of at most 255 characters, which SPIFFE allows
/// and every X.509 library takes as the host of a URI (an underscore, say, not all of them do).
const TextKind& trust_domain_kind();
/// A duration of base/time.h.
const TextKind& duration_kind();
/// A release of Istio that is supported.
const TextKind& istio_version_kind();
/// One line without control characters and without blanks at its ends: a context, a path.
const TextKind& line_kind();
/// A path that is no URL.
const TextKind& folder_kind();
/// A revision: a DNS-1123 label that leaves room for the names made of it, or nothing.
const TextKind& revision_kind();
/// A lower-case DNS name.
const TextKind& dns_name_kind();
/// The key of an annotation: a name, with or without "<DNS name>/" in front.
const TextKind& annotation_key_kind();
/// What looks like an IP address, or like one with a prefix length; whether it is one, the rules
/// across keys judge.
const TextKind& ip_address_kind();
const TextKind& address_range_kind();
/// A reference to a container image, or the front of one: a registry and a path in it.
const TextKind& image_kind();
/// A URL like https://host:6443/path, or host:port.
const TextKind& server_kind();
/// Values in a distinguished name with the upper bounds of X.520 (RFC 5280 appendix A.1).
const TextKind& short_name_value_kind();
const TextKind& long_name_value_kind();
const TextKind& country_kind();

}  // namespace meshtrust::profiles
