"""`python -m bert_tf.cli VERB`."""

import sys

from bert_tf.cli import main

sys.exit(main())
