#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/yaml.h"
#include "profiles/keys.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// A point in the mesh file; lines and columns count from 1.
struct Point {
  int line = 1;
  int column = 1;
  friend auto operator<=>(const Point&, const Point&) = default;
};

/// The text of a mesh file and the problems found in it so far.
class Report {
 public:
  Report(std::string_view file, std::string_view text);

  void add(Point at, std::string message, std::string hint = {});
  bool is_empty() const { return errors_.empty(); }
  /// All problems in the order of the file.
  base::Errors take_errors();

  base::Place place(Point at) const;
  /// The character at a point, or NUL behind the end of the line.
  char character(Point at) const;

 private:
  std::string_view line(int number) const;

  std::string file_;
  std::vector<std::string_view> lines_;
  base::Errors errors_;
};

/// A part of a document whose keys are somebody else's.
struct FreeValue {
  base::Json json = base::Json::object();
  std::map<std::string, Point> places;  ///< by path ("global.network"); the whole has the path ""
};

/// A value of the mesh file after the strict reading. The tree is complete: every key of a
/// mapping's shape is there, also the ones that the file leaves out.
class Value {
 public:
  enum class State {
    kAbsent,  ///< left out; `text` is the default, if there is one
    kGiven,   ///< stands in the file and is what its shape wants
    kBroken,  ///< missing though required, or wrong; already reported, not to be judged further
  };

  State state = State::kAbsent;
  Point at;  ///< of an absent value: the nearest mapping that was written
  std::string text;
  std::vector<Value> items;
  std::map<std::string, Value, std::less<>> keys;  ///< of a table: those that stand in the file
  FreeValue free = {};

  bool is_given() const { return state == State::kGiven; }
  bool is_broken() const { return state == State::kBroken; }
  /// The value of a key that the shape knows.
  const Value& operator[](std::string_view key) const;
};

/// Reads `node` as `shape` wants it and reports everything that is not so.
Value read_strictly(const base::YamlNode& node, const Shape& shape, Report& report);

}  // namespace meshtrust::profiles
