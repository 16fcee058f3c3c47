// What matches ask of the two models, and matches that are spread evenly.
#include "compress/matches.h"

#include "tensor/error.h"

namespace ink {
namespace {

std::string layers_named(const MatchLoss loss, int64_t first, int64_t second) {
  const std::string name = std::to_string(first);
  return takes_pairs(loss) ? name + '-' + std::to_string(second) : name;
}

void check_layer(const IntermediateMatch& m, const char* key, int64_t layer, const char* whose,
                 const ModelSize& size) {
  const bool hidden = feature_of(m.loss) == MatchFeature::hidden;
  check(hidden || !size.heads.empty(), "distill: match ", m.name(), " needs the attention of the ",
        whose, ", which has none that can be matched");
  const int64_t first = hidden ? 0 : 1;
  check(layer >= first && layer <= size.layers, "distill: match ", m.name(), " wants ", key, ' ',
        layer, ", but the ", whose, " has ", hidden ? "hidden" : "attention", " layers ", first,
        " to ", size.layers);
}

void check_widths(const IntermediateMatch& m, const ModelSize& teacher, const ModelSize& student) {
  if (m.projected()) {
    check(m.student_size == student.hidden, "distill: match ", m.name(), " projects ",
          m.student_size, " to ", m.teacher_size, ", but student and teacher have ", student.hidden,
          " and ", teacher.hidden, " channels");
    check(m.teacher_size == teacher.hidden || !needs_one_width(m.loss), "distill: match ", m.name(),
          " projects ", m.student_size, " to ", m.teacher_size, ", but student and teacher have ",
          student.hidden, " and ", teacher.hidden, " channels");
  } else if (needs_one_width(m.loss)) {
    check(student.hidden == teacher.hidden, "distill: match ", m.name(),
          " needs \"proj\": [\"linear\", ", student.hidden, ", ", teacher.hidden,
          "], because the widths differ");
  }
}

int64_t heads_at(const ModelSize& size, int64_t layer) {
  return size.heads[static_cast<size_t>(layer - 1)];
}

// As many heads on both sides, or channels that divide into the relation heads.
void check_heads(const IntermediateMatch& m, const ModelSize& teacher, const ModelSize& student) {
  const int64_t T = heads_at(teacher, m.layer_teacher), S = heads_at(student, m.layer_student);
  check(T > 0 && S > 0, "distill: match ", m.name(), " is of a layer without heads (student ", S,
        ", teacher ", T, "); choose another");
  if (feature_of(m.loss) == MatchFeature::relation && m.relation_heads > 0) {
    for (const int64_t channels : {T * teacher.head_size, S * student.head_size})
      check(channels % m.relation_heads == 0, "distill: match ", m.name(), " cuts ", channels,
            " channels into ", m.relation_heads, " relation_heads; expected a divisor");
    return;
  }
  const bool any = m.loss == MatchLoss::attention_mse_sum || m.loss == MatchLoss::attention_ce_mean;
  const char* remedy = feature_of(m.loss) == MatchFeature::relation ? "give relation_heads"
                       : m.loss == MatchLoss::attention_mse         ? "use attention_mse_sum"
                                                                    : "use attention_ce_mean";
  check(any || S == T, "distill: match ", m.name(), " compares head with head, but the student's ",
        "layer has ", S, " and the teacher's ", T, "; ", remedy);
}

}  // namespace

std::string IntermediateMatch::name() const {
  return std::string(name_of(feature_of(loss))) + '_' + name_of(loss) + '_' +
         layers_named(loss, layer_student, second_student) + '_' +
         layers_named(loss, layer_teacher, second_teacher);
}

void check_matches(const std::vector<IntermediateMatch>& matches, const ModelSize& teacher,
                   const ModelSize& student) {
  for (const IntermediateMatch& m : matches) {
    check_layer(m, "layer_T", m.layer_teacher, "teacher", teacher);
    check_layer(m, "layer_S", m.layer_student, "student", student);
    if (takes_pairs(m.loss)) {
      check_layer(m, "layer_T", m.second_teacher, "teacher", teacher);
      check_layer(m, "layer_S", m.second_student, "student", student);
    }
    if (feature_of(m.loss) == MatchFeature::hidden)
      check_widths(m, teacher, student);
    else
      check_heads(m, teacher, student);
  }
}

std::vector<IntermediateMatch> even_matches(const ModelSize& teacher, const ModelSize& student,
                                            MatchLoss loss, double weight) {
  check(student.layers > 0 && teacher.layers > 0, "distill: expected models with layers");
  check(feature_of(loss) == MatchFeature::hidden,
        "distill: even matches are of hidden states, got ", name_of(loss));
  std::vector<IntermediateMatch> matches;
  for (int64_t j = 0; j <= student.layers; ++j) {
    IntermediateMatch match{.layer_teacher = j * teacher.layers / student.layers,
                            .layer_student = j,
                            .loss = loss,
                            .weight = weight};
    match.second_teacher = match.layer_teacher;
    match.second_student = match.layer_student;
    if (teacher.hidden != student.hidden && needs_one_width(loss)) {
      match.student_size = student.hidden;
      match.teacher_size = teacher.hidden;
    }
    matches.push_back(match);
  }
  return matches;
}

}  // namespace ink
