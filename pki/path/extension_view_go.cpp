#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/path/der_reader.h"
#include "pki/path/extension_views.h"

#include <array>

// crypto/x509/parser.go of Go 1.26.

namespace meshtrust::pki {
namespace {

using base::Bytes;
using base::ByteView;
using Value = std::optional<Bytes>;

void append(Bytes& out, ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

/// All entries of a SEQUENCE, each as `view` leaves it.
template <class View>
Value list_of(DerReader& reader, View view) {
  const auto list = reader.take(kSequenceTag);
  if (!list) return std::nullopt;
  DerReader entries(list->content);
  Bytes content;
  while (!entries.at_end()) {
    const Value entry = view(entries);
    if (!entry) return std::nullopt;
    append(content, *entry);
  }
  return der_element(kSequenceTag, content);
}

/// A SEQUENCE, of which no more is looked at than what has these tags, each if it comes next.
template <std::size_t N>
Value fields_of(DerReader& reader, const std::array<unsigned, N>& tags) {
  const auto whole = reader.take(kSequenceTag);
  if (!whole) return std::nullopt;
  DerReader fields(whole->content);
  Bytes content;
  for (const unsigned tag : tags) {
    if (!fields.is_next(tag)) continue;
    const auto field = fields.take();
    if (!field) return std::nullopt;
    append(content, field->whole);
  }
  return der_element(kSequenceTag, content);
}

/// Whatever has this tag.
Value one(DerReader& reader, unsigned tag) {
  const auto element = reader.take(tag);
  return element ? Value(Bytes(element->whole.begin(), element->whole.end())) : std::nullopt;
}

bool is_compared(unsigned tag) {
  return tag == (kContextTag | 1U) || tag == (kContextTag | 2U) || tag == (kContextTag | 6U) ||
         tag == (kContextTag | 7U);
}

/// A mail address, host, URI or address; nothing of any other element.
Value compared_name(DerReader& reader) {
  const auto name = reader.take();
  if (!name) return std::nullopt;
  return is_compared(name->whole.front()) ? Bytes(name->whole.begin(), name->whole.end()) : Bytes();
}

/// The base alone; a name of no use becomes one of a form that nobody compares.
Value subtree(DerReader& reader) {
  static constexpr std::array<std::uint8_t, 3> kRegisteredId = {0x88, 0x01, 0x2a};
  const auto whole = reader.take(kSequenceTag);
  if (!whole) return std::nullopt;
  DerReader parts(whole->content);
  Value base = compared_name(parts);
  if (!base) return std::nullopt;
  return der_element(kSequenceTag, base->empty() ? ByteView(kRegisteredId) : ByteView(*base));
}

Value name_constraints(DerReader& reader) {
  const auto whole = reader.take(kSequenceTag);
  if (!whole || !reader.at_end()) return std::nullopt;
  DerReader sides(whole->content);
  Bytes content;
  for (const unsigned side : {kConstructedContextTag + 0U, kConstructedContextTag + 1U}) {
    if (!sides.is_next(side)) continue;
    const auto subtrees = sides.take();
    if (!subtrees) return std::nullopt;
    DerReader entries(subtrees->content);
    Bytes bases;
    while (!entries.at_end()) {
      const Value base = subtree(entries);
      if (!base) return std::nullopt;
      append(bases, *base);
    }
    append(content, der_element(side, bases));
  }
  return sides.at_end() ? Value(der_element(kSequenceTag, content)) : std::nullopt;
}

/// A point of none, when the URIs in it can be read.
Value distribution_point(DerReader& reader) {
  const auto point = reader.take(kSequenceTag);
  if (!point) return std::nullopt;
  DerReader parts(point->content);
  if (parts.is_next(kConstructedContextTag)) {
    const auto name = parts.take();
    if (!name) return std::nullopt;
    const auto full = DerReader(name->content).take(kConstructedContextTag);
    if (!full) return std::nullopt;
    DerReader names(full->content);
    while (names.is_next(kContextTag | 6U)) {
      if (!names.take()) return std::nullopt;
    }
  }
  return der_element(kSequenceTag, {});
}

/// The object alone.
Value policy(DerReader& reader) {
  const auto whole = reader.take(kSequenceTag);
  const auto object = whole ? DerReader(whole->content).take(kObjectTag) : std::nullopt;
  return object ? Value(der_element(kSequenceTag, object->whole)) : std::nullopt;
}

/// Two objects, which nobody has looked into.
Value mapping(DerReader& reader) {
  static constexpr std::array<std::uint8_t, 3> kNobodys = {kObjectTag, 0x01, 0x28};
  const auto whole = reader.take(kSequenceTag);
  if (!whole) return std::nullopt;
  DerReader objects(whole->content);
  Bytes content;
  for (int i = 0; i < 2; ++i) {
    const auto object = objects.take(kObjectTag);
    if (!object) return std::nullopt;
    const unsigned char* next = object->whole.data();
    const Handle<ASN1_OBJECT, ASN1_OBJECT_free> known(
        d2i_ASN1_OBJECT(nullptr, &next, static_cast<long>(object->whole.size())));
    append(content, known ? object->whole : ByteView(kNobodys));
  }
  forget_openssl_errors();
  return der_element(kSequenceTag, content);
}

/// The method, and a URI of nothing.
Value access(DerReader& reader) {
  static constexpr std::array<std::uint8_t, 2> kUri = {kContextTag | 6U, 0};
  const auto whole = reader.take(kSequenceTag);
  if (!whole) return std::nullopt;
  DerReader parts(whole->content);
  const auto method = parts.take(kObjectTag);
  if (!method || (parts.is_next(kUri[0]) && !parts.take())) return std::nullopt;
  Bytes content(method->whole.begin(), method->whole.end());
  append(content, kUri);
  return der_element(kSequenceTag, content);
}

struct Reading {
  std::string_view object;
  Value (*read)(DerReader& reader);
};

/// Whatever stands behind is left alone too, but for name constraints.
constexpr std::array kReadings = {
    Reading{"2.5.29.14", [](DerReader& r) { return one(r, V_ASN1_OCTET_STRING); }},
    Reading{"2.5.29.15", [](DerReader& r) { return one(r, V_ASN1_BIT_STRING); }},
    Reading{"2.5.29.17", [](DerReader& r) { return list_of(r, compared_name); }},
    Reading{"2.5.29.19",
            [](DerReader& r) {
              return fields_of(r, std::array{unsigned{kBooleanTag}, unsigned{kIntegerTag}});
            }},
    Reading{"2.5.29.30", name_constraints},
    Reading{"2.5.29.31", [](DerReader& r) { return list_of(r, distribution_point); }},
    Reading{"2.5.29.32", [](DerReader& r) { return list_of(r, policy); }},
    Reading{"2.5.29.33", [](DerReader& r) { return list_of(r, mapping); }},
    Reading{"2.5.29.35",
            [](DerReader& r) { return fields_of(r, std::array{unsigned{kContextTag}}); }},
    Reading{"2.5.29.36",
            [](DerReader& r) {
              return fields_of(r, std::array{unsigned{kContextTag}, kContextTag + 1U});
            }},
    Reading{"2.5.29.37", [](DerReader& r) { return one(r, kSequenceTag); }},
    Reading{"2.5.29.54", [](DerReader& r) { return one(r, kIntegerTag); }},
    Reading{"1.3.6.1.5.5.7.1.1", [](DerReader& r) { return list_of(r, access); }}};

}  // namespace

std::optional<ViewedExtension> go_view(std::string_view object, ByteView value) {
  for (const Reading& reading : kReadings) {
    if (reading.object != object) continue;
    DerReader reader(value);
    Value seen = reading.read(reader);
    if (!seen) return std::nullopt;
    return ViewedExtension{.value = *std::move(seen)};
  }
  return std::nullopt;
}

}  // namespace meshtrust::pki
