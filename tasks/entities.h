// Entities: what BIO tags mark, "B-X I-X … I-X"; precision, recall and F1 over whole entities.
//
// Strict: an entity begins with B-X and takes the I-X that follow at once. An I-X that continues no
// X is in no entity (conlleval's lenient reading would begin one there). A predicted entity counts
// where begin, end and type are those of a true one (Tjong Kim Sang and De Meulder 2003).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/labels.h"
#include "tasks/metrics.h"

namespace ink {

struct Entity {
  int32_t begin, end;  // units [begin, end)
  int32_t type;        // of BioTags::types()
  bool operator==(const Entity&) const = default;
};

class BioTags {
 public:
  // Raises Error, beginning with `source`, where a label is not O, B-TYPE or I-TYPE, and where O is
  // missing.
  BioTags(const Labels& labels, const std::string& source);

  const std::vector<std::string>& types() const { return types_; }    // by name
  int32_t outside() const { return outside_; }                        // the tag O
  std::vector<Entity> entities(std::span<const int32_t> tags) const;  // in order

 private:
  enum class Part : uint8_t { outside, begin, inside };
  struct Meaning {
    Part part;
    int32_t type;
  };
  std::vector<std::string> types_;
  std::vector<Meaning> meanings_;  // of each label
  int32_t outside_ = 0;
};

// Counts of sentences added one by one; their sum over types gives micro averages.
class EntityCounts {
 public:
  explicit EntityCounts(size_t types) : by_type_(types) {}
  void add(std::span<const Entity> truth, std::span<const Entity> predicted);
  const ClassMetrics& of(size_t type) const { return by_type_[type]; }
  ClassMetrics all() const;

 private:
  std::vector<ClassMetrics> by_type_;
};

}  // namespace ink
