// Everything of inkstone in one include: tensors, training, models, text, objectives, tasks, compression.
#pragma once
