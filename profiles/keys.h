#pragma once

#include "profiles/text_kind.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

struct Key;

/// What may stand at a place of the mesh file. Every value that is ours is text, a list, a mapping
/// or true or false.
struct Shape {
  enum class Kind {
    kText,     ///< of the kind `text`
    kWord,     ///< one of `words`; those in `later` are refused as not built
    kSwitch,   ///< true or false, without quotes
    kList,     ///< at least one of `item`
    kMapping,  ///< of `keys` and no others
    kTable,    ///< at least one `item` under keys of the kind `text`; or one of `words`
    kFree,     ///< a mapping whose content is somebody else's
  };
  enum class Repeats { kAllowed, kRefused };

  Kind kind = Kind::kMapping;
  const TextKind* text = nullptr;
  std::vector<std::string> words;
  std::vector<std::string> later;
  std::vector<Shape> item;  ///< exactly one when this is a list or a table
  Repeats repeats = Repeats::kAllowed;
  std::vector<Key> keys;
};

/// One key of a mapping.
struct Key {
  enum class Need { kRequired, kOptional };

  std::string name;
  Need need = Need::kOptional;
  std::string doc = {};       ///< a sentence for editors and hints
  std::string standard = {};  ///< the default as text; empty when there is none or it depends
  Shape shape;
};

/// The whole mesh file: the one description from which the loader's strictness, the typed defaults
/// and the JSON Schema are made. Rules across keys are in profiles/validate.h.
const Shape& mesh_shape();

/// The key `name` of a mapping, or null.
const Key* find_key(const Shape& mapping, std::string_view name);

}  // namespace meshtrust::profiles
