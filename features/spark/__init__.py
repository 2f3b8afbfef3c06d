"""The feature table through PySpark, where one machine is outgrown; needs the extra `spark`."""
