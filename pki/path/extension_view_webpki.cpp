#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/path/der_reader.h"
#include "pki/path/extension_views.h"

#include <array>

// src/cert.rs, src/subject_name and src/verify_cert.rs of rustls-webpki 0.103.

namespace meshtrust::pki {
namespace {

using base::Bytes;
using base::ByteView;

void append(Bytes& out, ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

/// The content of a SEQUENCE that nothing follows.
std::optional<ByteView> only_sequence(ByteView value) {
  DerReader reader(value);
  const auto whole = reader.take(kSequenceTag);
  return whole && reader.at_end() ? std::optional(whole->content) : std::nullopt;
}

/// A name of a kind that counts by its kind alone.
constexpr std::array<std::uint8_t, 9> kOtherName = {0xa0, 7, 6, 1, 0x2a, 0xa0, 2, 5, 0};
constexpr std::array<std::uint8_t, 2> kX400 = {0xa3, 0};
constexpr std::array<std::uint8_t, 4> kDirectory = {0xa4, 2, 0x30, 0};
constexpr std::array<std::uint8_t, 7> kEdiParty = {0xa5, 5, 0xa1, 3, 12, 1, 0x78};
constexpr std::array<std::uint8_t, 3> kRegisteredId = {0x88, 1, 0x2a};

/// `name` as it is where its text counts; nothing for what is no name.
std::optional<ByteView> name_seen(const DerElement& name) {
  switch (name.whole.front()) {
    case kContextTag | 1U:
    case kContextTag | 2U:
    case kContextTag | 6U:
    case kContextTag | 7U:
      return name.whole;
    default:
      break;
  }
  static constexpr std::array<ByteView, 5> kOthers = {kOtherName, kX400, kDirectory, kEdiParty,
                                                      kRegisteredId};
  for (const ByteView& other : kOthers) {
    if (other.front() == name.whole.front()) return other;
  }
  return std::nullopt;
}

ViewedExtension alternative_names(ByteView content) {
  DerReader names(content);
  Bytes seen;
  bool breaks_off = false;
  while (!names.at_end() && !breaks_off) {
    const auto name = names.take();
    const auto view = name ? name_seen(*name) : std::nullopt;
    if (view) append(seen, *view);
    breaks_off = !view;
  }
  return {.value = der_element(kSequenceTag, seen), .breaks_off = breaks_off};
}

/// Those up to the first that is no object; objects that nobody could name are not wanted either.
ViewedExtension usages(ByteView content) {
  DerReader objects(content);
  Bytes seen;
  while (const auto object = objects.take(kObjectTag)) {
    const unsigned char* next = object->whole.data();
    const Handle<ASN1_OBJECT, ASN1_OBJECT_free> known(
        d2i_ASN1_OBJECT(nullptr, &next, static_cast<long>(object->whole.size())));
    if (known) append(seen, object->whole);
  }
  forget_openssl_errors();
  return {.value = der_element(kSequenceTag, seen)};
}

/// Bases of the kinds that count by their kind; nothing where something is left over.
std::optional<Bytes> subtrees(ByteView content) {
  DerReader trees(content);
  Bytes seen;
  while (!trees.at_end()) {
    const auto tree = trees.take(kSequenceTag);
    if (!tree) return std::nullopt;
    DerReader parts(tree->content);
    const auto base = parts.take();
    const auto view = base && parts.at_end() ? name_seen(*base) : std::nullopt;
    if (!view) return std::nullopt;
    append(seen, der_element(kSequenceTag, *view));
  }
  return seen;
}

std::optional<ViewedExtension> name_constraints(ByteView content) {
  DerReader sides(content);
  Bytes seen;
  for (const unsigned side : {kConstructedContextTag + 0U, kConstructedContextTag + 1U}) {
    if (!sides.is_next(side)) continue;
    const auto trees = sides.take();
    const auto bases = trees ? subtrees(trees->content) : std::nullopt;
    if (!bases) return std::nullopt;
    append(seen, der_element(side, *bases));
  }
  if (!sides.at_end()) return std::nullopt;
  return ViewedExtension{.value = der_element(kSequenceTag, seen)};
}

}  // namespace

std::optional<ViewedExtension> webpki_view(std::string_view object, ByteView value) {
  const auto content = only_sequence(value);
  if (!content) return std::nullopt;
  if (object == "2.5.29.17") return alternative_names(*content);
  if (object == "2.5.29.30") return name_constraints(*content);
  if (object == "2.5.29.37") return usages(*content);
  // Distribution points are read with revocation lists.
  if (object == "2.5.29.31") return ViewedExtension{.value = der_element(kSequenceTag, {})};
  return std::nullopt;
}

}  // namespace meshtrust::pki
