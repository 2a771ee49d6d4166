"""What training minimises: functions of predictions and truth, and one place for the choices."""
