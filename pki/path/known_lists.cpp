#include "pki/path/known_lists.h"

#include <set>

namespace meshtrust::pki {
namespace {

/// What does not stand under anything.
constexpr std::size_t kTop = 0;

/// The number of `key`, from 1; a new one gets the next.
template <class Map>
std::size_t number_of(Map& numbers, typename Map::key_type key) {
  const std::size_t next = numbers.size() + 1;
  return numbers.try_emplace(std::move(key), next).first->second;
}

template <class Value>
const std::vector<Value>& found_in(const std::map<KnownLists::Name, std::vector<Value>>& all,
                                   const KnownLists::Name& name) {
  static const std::vector<Value> kNone;
  const auto found = all.find(name);
  return found == all.end() ? kNone : found->second;
}

}  // namespace

KnownLists::KnownLists(const ChainQuestion& question) {
  std::set<std::string> seen;
  for (const PathCrl& crl : question.crls) {
    const CrlFacts& facts = crl.facts();
    if (seen.insert(facts.fingerprint).second) lists_[facts.issuer.rdns].push_back(&crl);
  }
  seen.clear();
  for (const auto* pool : {&question.anchors, &question.chain}) {
    for (const PathCertificate& one : *pool) {
      const PathFacts& facts = one.facts();
      if (seen.insert(facts.fingerprint).second) named_[facts.subject.rdns].push_back(&one);
    }
  }
}

const std::vector<const PathCrl*>& KnownLists::lists_of(const Name& issuer) const {
  return found_in(lists_, issuer);
}

const std::vector<const PathCertificate*>& KnownLists::named(const Name& subject) const {
  return found_in(named_, subject);
}

std::size_t KnownLists::kind_of(const PathCertificate& certificate) {
  const PathFacts& facts = certificate.facts();
  const auto [it, is_new] = kinds_of_.try_emplace(facts.fingerprint, 0);
  if (is_new) {
    it->second = number_of(kinds_, {facts.subject.rdns, facts.key.info, may_sign_lists(facts)});
  }
  return it->second;
}

std::vector<std::size_t> KnownLists::places_in(const Path& path) {
  std::vector<std::size_t> places(path.size());
  std::size_t above =
      number_of(places_, {kTop, number_of(anchors_, path.back()->facts().fingerprint)});
  for (std::size_t i = path.size(); i-- > 0;) {
    places[i] = above;
    above = number_of(places_, {above, kind_of(*path[i])});
  }
  return places;
}

bool may_sign_lists(const PathFacts& certificate) {
  return !certificate.key_usage || (*certificate.key_usage & kCrlSign) != 0;
}

}  // namespace meshtrust::pki
