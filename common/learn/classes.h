/* The classes that registry.c lists, each defined by the file of its name. */
#ifndef OXBOW_LEARN_CLASSES_H
#define OXBOW_LEARN_CLASSES_H

#include "learn/registry.h"

extern const struct learn_class standard_scaler_class;                   /* standard_scaler.c */
extern const struct learn_class mean_class;                              /* mean.c */
extern const struct learn_class prior_class;                             /* prior.c */
extern const struct learn_class linear_regression_class;                 /* linear_regression.c */
extern const struct learn_class knn_regressor_class;                     /* knn_regressor.c */
extern const struct learn_class hoeffding_tree_regressor_class;          /* tree.c */
extern const struct learn_class hoeffding_adaptive_tree_regressor_class; /* tree_adapt.c */
extern const struct learn_class tebst_splitter_class;                    /* tree.c */
extern const struct learn_class adwin_class;                             /* adwin.c */
extern const struct learn_class page_hinkley_class;                      /* page_hinkley.c */
extern const struct learn_class sgd_class;                               /* linear_regression.c */

#endif
