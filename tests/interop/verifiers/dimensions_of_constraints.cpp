#include "base/encoding.h"
#include "pki/path/der_reader.h"
#include "tests/interop/verifiers/corpus.h"

// The table of dimensions is read best as one, however long it is.

namespace meshtrust::interop {
namespace {

using base::Bytes;
using pki::der_element;

using Values = std::vector<std::string>;

constexpr unsigned kSequence = 0x30;
constexpr unsigned kDns = 0x82;
constexpr unsigned kAddress = 0x87;

Bytes joined(const std::vector<Bytes>& parts) {
  Bytes all;
  for (const Bytes& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::string as_value(const Bytes& der) {
  return "DER:" + base::to_hex(der);
}

Bytes octets_of(const std::string& hex) {
  return *base::from_hex(hex);
}

/// A base, and in hex what stands behind it.
Bytes subtree(unsigned form, base::ByteView base, const std::string& behind = "") {
  return der_element(kSequence, joined({der_element(form, base), octets_of(behind)}));
}

std::string constraints(const std::vector<Bytes>& permitted, const std::vector<Bytes>& excluded) {
  constexpr unsigned kPermitted = 0xa0;
  constexpr unsigned kExcluded = 0xa1;
  Bytes sides;
  if (!permitted.empty()) sides = der_element(kPermitted, joined(permitted));
  if (!excluded.empty()) sides = joined({sides, der_element(kExcluded, joined(excluded))});
  return "critical," + as_value(der_element(kSequence, sides));
}

/// Of one side, whichever it is.
std::string constraints(Dice& dice, const std::vector<Bytes>& subtrees) {
  return roll(dice, 2) == 0 ? constraints(subtrees, {}) : constraints({}, subtrees);
}

Bytes host_subtree(const std::string& host, const std::string& behind = "") {
  return subtree(kDns, base::as_bytes(host), behind);
}

/// Addresses and masks, in hex: with host bits, with holes, and one in the form of the other.
const Values& networks() {
  static const Values all = {"0a000000ff000000",
                             "0a000005ff000000",
                             "0a000001ffffffff",
                             "09000000ff000000",
                             "0a00000000000000",
                             "0a000000ff00ff00",
                             "0b000000ff00ff00",
                             "0a800000ff800000",
                             "0a0000fffffffe00",
                             "0a000000ff0000",
                             "20010db8000000000000000000000000ffffffff000000000000000000000000",
                             "20010db8000000000000000000000005ffffffff000000000000000000000000",
                             "0000000000000000000000000000000000000000000000000000000000000000",
                             "00000000000000000000ffff0a000000ffffffffffffffffffffffffff000000",
                             "20010db8000000000000000000000000ffff00ff000000000000000000000000"};
  return all;
}

const Values& addresses() {
  static const Values all = {"0a000001",
                             "0a000005",
                             "0a0000ff",
                             "0b000005",
                             "0a800001",
                             "20010db8000000000000000000000001",
                             "00000000000000000000ffff0a000001",
                             "0a0000"};
  return all;
}

const std::vector<Dimension>& table() {
  static const std::vector<Dimension> all = {
      {"networks",
       [](Draft& d, Dice& r) {
         std::vector<Bytes> subtrees;
         const std::size_t count = 1 + roll(r, 3);
         for (std::size_t i = 0; i < count; ++i) {
           subtrees.push_back(subtree(kAddress, octets_of(pick(r, networks()))));
         }
         d.middle(r).with("nameConstraints", constraints(r, subtrees));
         const Bytes name = der_element(kAddress, octets_of(pick(r, addresses())));
         d.leaf().with("subjectAltName", as_value(der_element(kSequence, name)));
       }},
      {"minimum or maximum",
       [](Draft& d, Dice& r) {
         const std::string bounds = pick(r, Values{"800100", "800101", "810103", "800100810100"});
         std::vector<Bytes> subtrees = {
             host_subtree(pick(r, Values{"example.com", "example.net"})),
             host_subtree(pick(r, Values{"example.com", "example.net", "example.org"}), bounds)};
         if (roll(r, 2) == 0) std::swap(subtrees.front(), subtrees.back());
         d.middle(r).with("nameConstraints", constraints(r, subtrees));
       }},
      {"very many names and constraints",
       [](Draft& d, Dice& r) {
         // Around 250 000 comparisons in all, and 2^20 for one pair.
         const std::size_t trees = pick(r, std::vector<std::size_t>{100, 125, 200, 500});
         const std::vector<Bytes> many(trees, host_subtree("example.com"));
         for (std::size_t i = 0; i + 1 < d.levels.size(); ++i) {
           d.levels[i].with("nameConstraints", constraints(many, {}));
         }
         const std::size_t names = pick(r, std::vector<std::size_t>{498, 600, 999, 1250, 2200});
         const std::vector<Bytes> hosts(names, der_element(kDns, base::as_bytes("a.example.com")));
         d.leaf().with("subjectAltName", as_value(der_element(kSequence, joined(hosts))));
       }},
  };
  return all;
}

}  // namespace

std::span<const Dimension> dimensions_of_constraints() {
  return table();
}

}  // namespace meshtrust::interop
