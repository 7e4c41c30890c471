#pragma once

#include "pki/path/chain_question.h"
#include "tests/pki/forge.h"

#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Chains for verifiers to disagree about: a good one, spoilt along a few named dimensions.

namespace meshtrust::interop {

using Dice = std::mt19937_64;

/// A number below `count`.
std::size_t roll(Dice& dice, std::size_t count);

template <class T>
const T& pick(Dice& dice, const std::vector<T>& values) {
  return values[roll(dice, values.size())];
}

/// Keys are taken from a pool, because most of the time would go into making them.
pki::testing::Key key_of(Dice& dice, std::string_view type);

/// What is asked, in the bytes that go to every verifier.
struct Case {
  std::string id;
  std::string maker = "openssl";
  std::vector<std::string> dimensions;
  std::vector<base::Bytes> chain;
  std::vector<base::Bytes> roots;
  base::Instant at = pki::testing::kNow;
  std::string purpose = "server";
  std::string dns;
  std::string ip;
};

/// A chain before it is made: levels from the root down, the leaf last, each to be spoilt.
struct Draft {
  std::vector<pki::testing::Forgery> levels;
  Case question;
  /// What happens to the pools once all is made: certificates leaf first, the root last.
  std::vector<std::function<void(Case&, const std::vector<pki::testing::Identity>&)>> afterwards;

  pki::testing::Forgery& root() { return levels.front(); }
  pki::testing::Forgery& leaf() { return levels.back(); }
  /// One of the intermediates; the root where there is none.
  pki::testing::Forgery& middle(Dice& dice);
};

/// `wanted` signed by `issuer`, without a key identifier that the issuer does not have.
pki::testing::Identity below(pki::testing::Forgery wanted, const pki::testing::Identity& issuer);

struct Dimension {
  std::string_view name;
  void (*spoil)(Draft& draft, Dice& dice);
  bool of_the_question = false;  ///< concerns what is asked and the pools, not what is made
};
std::span<const Dimension> dimensions_of_certificates();
std::span<const Dimension> dimensions_of_constraints();
std::span<const Dimension> dimensions_of_encodings();
std::span<const Dimension> dimensions_of_names();
std::span<const Dimension> dimensions_of_questions();
/// All of them.
std::span<const Dimension> dimensions();

/// `count` cases of `seed`: the same dimensions and choices each time, keys aside.
std::vector<Case> make_corpus(std::uint64_t seed, std::size_t count);

}  // namespace meshtrust::interop
